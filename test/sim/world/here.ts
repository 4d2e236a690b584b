import type { Tab } from './tab.ts';

/** The tab whose code is running. */
export const here: { tab: Tab | undefined } = { tab: undefined };

// What the dialling library takes from its page: the bundle puts these in the place of the globals.
export const setTimeout = (run: () => void, ms: number): unknown => here.tab!.env.setTimeout(run, ms);
export const clearTimeout = (timer: unknown): void => here.tab?.env.clearTimeout(timer);
