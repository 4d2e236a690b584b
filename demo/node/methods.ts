/** The methods that clients can call. */
import type { Store } from '../store/store.ts';
import type { Accounts, User } from './accounts.ts';
import { badParameter, MethodError } from './method-error.ts';

export interface MethodContext {
  store: Store;
  nodeId: string;
  accounts: Accounts;
  /** The user of the calling session. */
  readonly user: User | undefined;
  setUser(user: User | undefined): void;
}

type Method = (context: MethodContext, ...params: unknown[]) => unknown;

export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  [
    'todos.add',
    async ({ store }, id, text) => {
      const operation = {
        op: 'add',
        id: requireTodoId(id),
        text: requireTodoText(text),
        at: Date.now(),
      } as const;
      await store.write(operation);
      return operation.id;
    },
  ],
  [
    'todos.setDone',
    ({ store }, id, done) =>
      store.write({ op: 'setDone', id: requireTodoId(id), done: requireBoolean('done', done) }),
  ],
  [
    'todos.rename',
    ({ store }, id, text) =>
      store.write({ op: 'rename', id: requireTodoId(id), text: requireTodoText(text) }),
  ],
  ['todos.remove', ({ store }, id) => store.write({ op: 'remove', id: requireTodoId(id) })],
  ['todos.clearDone', ({ store }) => store.write({ op: 'clearDone' })],
  ['echo', (_, value) => value],
  ['slow', async (_, ms, value) => (await delay(requireMilliseconds(ms)), value)],
  ['count', ({ store }, key) => store.increment(requireString('key', key, 200))],
  [
    'fail',
    (_, code, reason) => {
      if (typeof code !== 'number' && typeof code !== 'string')
        throw badParameter('code', 'a number or string', code);
      throw new MethodError(code, requireString('reason', reason, 1000));
    },
  ],
  ['whoami', ({ nodeId }) => nodeId],
  [
    'login',
    ({ accounts, setUser }, credentials) => {
      const { user, result } = accounts.login(credentials);
      setUser(user);
      return result;
    },
  ],
  ['logout', ({ setUser }) => setUser(undefined)],
  ['username', ({ user }) => user?.username],
]);

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function requireString(name: string, value: unknown, maxLength: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxLength) {
    throw badParameter(name, `a string of 1 to ${maxLength} characters`, value);
  }
  return value;
}

const requireTodoId = (value: unknown): string => requireString('_id', value, 100);

function requireTodoText(value: unknown): string {
  const text = requireString('text', value, 1000);
  if (text.trim() === '') throw badParameter('text', 'more than spaces', value);
  return text;
}

function requireBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw badParameter(name, 'a boolean', value);
  return value;
}

function requireMilliseconds(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 120_000))
    throw badParameter('ms', 'a number from 0 to 120000', value);
  return value;
}
