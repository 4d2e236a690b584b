/** The Lua script that makes every write to Redis, and its arguments. */
import type { Todo, TodoOperation } from './store.ts';

export const redisKeys = {
  todos: 'failover-demo:todos',
  removed: 'failover-demo:removed',
  counters: 'failover-demo:counters',
  revision: 'failover-demo:revision',
  channel: 'failover-demo:changes',
};

/**
 * Every write runs as one script, so that the stored todo, its revision and its announcement stay in step. The rules of the
 * embedded store hold here too: the id of a removed todo does not come back.
 * KEYS: todos, removed, counters, revision, channel. ARGV: the operation and its parameters. Returns { count, revision }.
 */
export const script = `
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

/** The script's arguments. Texts are passed as JSON, because the script puts them into the stored JSON unchanged. */
export function operationArguments(operation: TodoOperation | { op: 'clear' }): string[] {
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
