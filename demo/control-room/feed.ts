import type { ServerResponse } from 'node:http';

/** Time between two pushes of the state. A person cannot read faster changes, and a page would repaint for nothing. */
const pushIntervalMs = 100;
/** A watcher with more unsent bytes than this misses a state, so that it cannot fill this process's memory. */
const maxUnsentBytes = 64 * 1024;

/** Pushes a state to all open control room pages, as server-sent events. */
export class StateFeed {
  readonly #watchers = new Set<ServerResponse>();
  #pushing: NodeJS.Timeout | undefined;
  #lastPush = -Infinity;

  /** @param read returns the present state */
  constructor(private readonly read: () => Promise<object>) {}

  /** Adds a page and sends it the present state. */
  async watch(response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.#watchers.add(response);
    response.on('close', () => this.#watchers.delete(response));
    await this.#push(response);
  }

  /** Pushes the state to all pages soon, at most ten times a second. */
  changed(): void {
    if (this.#watchers.size === 0) return;
    this.#pushing ??= setTimeout(
      () => {
        this.#pushing = undefined;
        this.#lastPush = performance.now();
        for (const watcher of this.#watchers) void this.#push(watcher);
      },
      Math.max(0, this.#lastPush + pushIntervalMs - performance.now()),
    );
  }

  close(): void {
    clearTimeout(this.#pushing);
    this.#watchers.clear();
  }

  async #push(watcher: ServerResponse): Promise<void> {
    if (watcher.writableLength > maxUnsentBytes) return;
    watcher.write(`data: ${JSON.stringify(await this.read())}\n\n`);
  }
}
