/** The shared state in Redis, for nodes on several machines. */
import { operationArguments, redisKeys, script } from './redis-script.ts';
import { Mirror, type Change, type Store, type Todo, type TodoOperation } from './store.ts';

/**
 * Connects a node to Redis: todos are in a hash, the change feed is pub/sub. Rejects when Redis cannot be reached at first.
 * Later the client reconnects by itself and the store loads what it missed.
 */
export async function connectRedisStore(url: string): Promise<Store> {
  const { createClient } = await import('redis');
  const commands = createClient({ url, socket: { noDelay: true } });
  const feed = commands.duplicate();

  const mirror = new Mirror();
  let revision = -1;
  let waiting: { revision: number; resolve: () => void }[] = [];

  const setRevision = (now: number): void => {
    revision = now;
    const done = waiting.filter((waiter) => waiter.revision <= now);
    waiting = waiting.filter((waiter) => waiter.revision > now);
    for (const { resolve } of done) resolve();
  };
  const untilRevision = (wanted: number): Promise<void> | undefined =>
    wanted <= revision ? undefined : new Promise((resolve) => waiting.push({ revision: wanted, resolve }));

  const load = async (): Promise<void> => {
    const [todos, at] = await commands.multi().hGetAll(redisKeys.todos).get(redisKeys.revision).exec();
    const loaded = Number(at ?? 0);
    // The feed may have brought newer changes in the meantime. It skips changes older than this load.
    if (loaded < revision) return;
    const entries = Object.entries(todos as unknown as Record<string, string>);
    mirror.replace(entries.map(([id, json]) => [id, JSON.parse(json) as Todo] as const));
    setRevision(loaded);
  };

  await connectAll([commands, feed], url);
  commands.on('error', (error: Error) => console.error(`Redis: ${error.message}`));
  feed.on('error', () => {});
  await feed.subscribe(redisKeys.channel, (text) => {
    const { revision: next, changes } = JSON.parse(text) as { revision: number; changes: Change[] };
    if (next <= revision) return;
    mirror.apply(changes);
    setRevision(next);
  });
  await load();
  feed.on('ready', () => void load().catch((error: Error) => console.error(`Redis: ${error.message}`)));

  const run = async (operation: TodoOperation | { op: 'clear' }): Promise<number> => {
    const answer = await commands.eval(script, {
      keys: Object.values(redisKeys),
      arguments: operationArguments(operation),
    });
    const [count = 0, at = 0] = answer as number[];
    await untilRevision(at);
    return count;
  };

  return {
    todos: mirror.todos,
    onChange: (listener) => mirror.onChange(listener),
    write: run,
    increment: (key) => commands.hIncrBy(redisKeys.counters, key, 1),
    clear: async () => void (await run({ op: 'clear' })),
    close: async () => destroy([commands, feed]),
  };
}

interface Connectable {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  destroy(): void;
  once(event: 'error', listener: (error: Error) => void): unknown;
}

/** Connects, and gives up at the first failure; the client alone would retry for ever. */
async function connectAll(clients: readonly Connectable[], url: string): Promise<void> {
  try {
    await Promise.all(
      clients.flatMap((client) => {
        const failed = new Promise<never>((_, reject) => client.once('error', reject));
        return Promise.race([client.connect(), failed]);
      }),
    );
  } catch (error) {
    destroy(clients);
    // Names the host only: the URL may hold a password.
    throw new Error(
      `Cannot reach Redis at ${new URL(url).host}: ${(error as Error).message}. Start Redis, or unset REDIS_URL to use the embedded store.`,
    );
  }
}

function destroy(clients: readonly Connectable[]): void {
  for (const client of clients) if (client.isOpen) client.destroy();
}
