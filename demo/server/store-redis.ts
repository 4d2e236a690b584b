import type { Change, Store, Todo, TodoOperation } from './store-api.ts';
import { Mirror } from './store-api.ts';

const keys = {
  todos: 'failover-demo:todos',
  removed: 'failover-demo:removed',
  counters: 'failover-demo:counters',
  revision: 'failover-demo:revision',
  channel: 'failover-demo:changes',
};

/**
 * Every write runs as one script, so that what is stored, its revision and its announcement cannot come apart. The
 * embedded store's rules hold here too: an id that was ever used for a todo and removed does not come back.
 * KEYS: todos, removed, counters, revision, channel. ARGV: the operation and its parameters. Returns { count, revision }.
 */
const script = `
local todos, removed, counters, revision, channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local op, id = ARGV[1], ARGV[2]
local changes = {}

local function put(id, json)
  if redis.call('HGET', todos, id) == json then return end
  redis.call('HSET', todos, id, json)
  changes[#changes + 1] = '{"id":' .. cjson.encode(id) .. ',"todo":' .. json .. '}'
end

local function remove(id)
  redis.call('SADD', removed, id)
  if redis.call('HDEL', todos, id) == 1 then
    changes[#changes + 1] = '{"id":' .. cjson.encode(id) .. '}'
  end
end

if op == 'add' then
  if redis.call('HEXISTS', todos, id) == 0 and redis.call('SISMEMBER', removed, id) == 0 then put(id, ARGV[3]) end
elseif op == 'setDone' or op == 'rename' then
  local json = redis.call('HGET', todos, id)
  if json then
    local todo = cjson.decode(json)
    local text, done = cjson.encode(todo.text), todo.done
    if op == 'setDone' then done = ARGV[3] == 'true' else text = ARGV[3] end
    put(id, '{"text":' .. text .. ',"done":' .. tostring(done)
      .. ',"createdAt":{"$date":' .. string.format('%.0f', todo.createdAt['$date']) .. '}}')
  end
elseif op == 'remove' then
  remove(id)
elseif op == 'clearDone' then
  local all = redis.call('HGETALL', todos)
  for i = 1, #all, 2 do
    if cjson.decode(all[i + 1]).done then remove(all[i]) end
  end
elseif op == 'clear' then
  for _, key in ipairs(redis.call('HKEYS', todos)) do remove(key) end
  redis.call('DEL', removed, counters)
end

local count = #changes
local current = tonumber(redis.call('GET', revision) or '0')
if count > 0 then
  current = redis.call('INCR', revision)
  redis.call('PUBLISH', channel, '{"revision":' .. current .. ',"changes":[' .. table.concat(changes, ',') .. ']}')
end
return { count, current }
`;

/** The script's parameters; texts go as JSON, since they are put into the stored JSON as they are. */
function parameters(operation: TodoOperation | { op: 'clear' }): string[] {
  switch (operation.op) {
    case 'add': {
      const todo: Todo = { text: operation.text, done: false, createdAt: { $date: operation.at } };
      return ['add', operation.id, JSON.stringify(todo)];
    }
    case 'setDone':
      return ['setDone', operation.id, String(operation.done)];
    case 'rename':
      return ['rename', operation.id, JSON.stringify(operation.text)];
    case 'remove':
      return ['remove', operation.id];
    case 'clearDone':
    case 'clear':
      return [operation.op, ''];
  }
}

/**
 * The shared state in Redis: todos in a hash, the change feed over pub/sub, so that nodes can run on several machines.
 * Rejects when Redis cannot be reached at first; later it reconnects by itself and loads what it missed.
 */
export async function connectRedisStore(url: string): Promise<Store> {
  const { createClient } = await import('redis');
  const commands = createClient({ url, socket: { noDelay: true } });
  const feed = commands.duplicate();

  const mirror = new Mirror();
  let revision = -1;
  let waiting: { revision: number; resolve: () => void }[] = [];

  const reached = (now: number): void => {
    revision = now;
    const [done, rest] = [waiting.filter((w) => w.revision <= now), waiting.filter((w) => w.revision > now)];
    waiting = rest;
    for (const { resolve } of done) resolve();
  };
  const seen = (wanted: number): Promise<void> | undefined =>
    wanted <= revision ? undefined : new Promise((resolve) => waiting.push({ revision: wanted, resolve }));

  const load = async (): Promise<void> => {
    const [todos, at] = await commands.multi().hGetAll(keys.todos).get(keys.revision).exec();
    const loaded = Number(at ?? 0);
    // Newer changes may have come in by the feed in the meantime; older ones, after this, are skipped there.
    if (loaded < revision) return;
    const entries = Object.entries(todos as unknown as Record<string, string>);
    mirror.replace(entries.map(([id, json]) => [id, JSON.parse(json) as Todo] as const));
    reached(loaded);
  };

  await connected([commands, feed], url);
  commands.on('error', (error: Error) => console.error(`redis: ${error.message}`));
  feed.on('error', () => {});
  await feed.subscribe(keys.channel, (text) => {
    const { revision: next, changes } = JSON.parse(text) as { revision: number; changes: Change[] };
    if (next <= revision) return;
    mirror.apply(changes);
    reached(next);
  });
  await load();
  feed.on('ready', () => void load().catch((error: Error) => console.error(`redis: ${error.message}`)));

  const run = async (operation: TodoOperation | { op: 'clear' }): Promise<number> => {
    const answer = await commands.eval(script, {
      keys: Object.values(keys),
      arguments: parameters(operation),
    });
    const [count = 0, at = 0] = answer as number[];
    await seen(at);
    return count;
  };

  return {
    todos: mirror.todos,
    onChange: (listener) => mirror.onChange(listener),
    write: run,
    increment: (key) => commands.hIncrBy(keys.counters, key, 1),
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

/** Connects, or gives up at the first failure, where the client by itself would try for ever. */
async function connected(clients: readonly Connectable[], url: string): Promise<void> {
  try {
    await Promise.all(
      clients.flatMap((client) => {
        const failed = new Promise<never>((_, reject) => client.once('error', reject));
        return Promise.race([client.connect(), failed]);
      }),
    );
  } catch (error) {
    destroy(clients);
    // Without the password that the URL may hold.
    throw new Error(`cannot reach Redis at ${new URL(url).host}: ${(error as Error).message}`);
  }
}

function destroy(clients: readonly Connectable[]): void {
  for (const client of clients) if (client.isOpen) client.destroy();
}
