import { createRequire } from 'node:module';

/** What is used of simpleddp 2.2.4, which ships no types. */
export interface SimpleDDP {
  readonly collections: Record<string, unknown[] | undefined>;
  subscribe(name: string, ...params: unknown[]): { ready(): Promise<void> };
  collection(name: string): { onChange(listener: () => void): unknown };
}

type Constructor = new (options: {
  endpoint: string;
  SocketConstructor: unknown;
  /** ms */
  reconnectInterval: number;
}) => SimpleDDP;

export const loadSimpleDdp = (): Constructor => {
  const loaded = createRequire(import.meta.url)('simpleddp') as Constructor | { default: Constructor };
  return 'default' in loaded ? loaded.default : loaded;
};
