/**
 * What the examples of the docs may take for granted: packages that are not installed here (Meteor's, Svelte's, OpenTelemetry's),
 * as far as the examples use them, and the global of the script tag. `Meteor.connection` is missing as it is from Meteor's own types:
 * the example of docs/start-meteor.md that declares it does so for all of them.
 */
export const ambient = `
declare const failover: typeof import('./src/script.ts');

declare module 'meteor/meteor' {
  export namespace Meteor {
    function startup(fn: () => void): void;
    function subscribe(name: string, ...params: unknown[]): unknown;
    function call(name: string, ...params: unknown[]): unknown;
    function status(): import('./src/meteor/shape.ts').MeteorStatus;
    function reconnect(options?: { url?: string }): void;
    function disconnect(): void;
    const server: import('./src/server/clients.ts').MeteorServerLike;
  }
}

declare module 'meteor/ddp' {
  export namespace DDP {
    function connect(url: string): object;
  }
}

declare module 'meteor/webapp' {
  type Handler = (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => void;
  export const WebApp: { httpServer: import('node:http').Server; handlers: { use(path: string, handler: Handler): void } };
}

declare module 'svelte/store' {
  interface Readable<T> {
    subscribe(run: (value: T) => void): () => void;
  }
  export function derived<S, T>(store: Readable<S>, fn: (value: S) => T): Readable<T>;
  export function readable<T>(value: T, start: (set: (value: T) => void) => () => void): Readable<T>;
}

declare module '@opentelemetry/api' {
  interface Span {
    end(endTime?: number): void;
  }
  interface Tracer {
    startSpan(name: string, options?: { startTime?: number; attributes?: Record<string, string | number | undefined> }): Span;
  }
  export const trace: { getTracer(name: string): Tracer };
}
`;
