import type { Accounts, User } from './accounts.ts';
import type { Store } from './store-api.ts';

/** An error a method or publication answers with: Meteor.Error. */
export class MethodError extends Error {
  constructor(
    readonly code: number | string,
    readonly reason: string,
  ) {
    super(`${reason} [${code}]`);
  }

  /** As sent in `result` and `nosub`. */
  toWire(): object {
    return {
      isClientSafe: true,
      error: this.code,
      reason: this.reason,
      message: this.message,
      errorType: 'Meteor.Error',
    };
  }
}

export interface MethodContext {
  store: Store;
  nodeId: string;
  accounts: Accounts;
  /** Of the session that calls. */
  readonly user: User | undefined;
  setUser(user: User | undefined): void;
}

type Method = (context: MethodContext, ...params: unknown[]) => unknown;

export const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  [
    'todos.add',
    async ({ store }, id, text) => {
      const operation = { op: 'add', id: todoId(id), text: todoText(text), at: Date.now() } as const;
      await store.write(operation);
      return operation.id;
    },
  ],
  [
    'todos.setDone',
    ({ store }, id, done) => store.write({ op: 'setDone', id: todoId(id), done: boolean('done', done) }),
  ],
  [
    'todos.rename',
    ({ store }, id, text) => store.write({ op: 'rename', id: todoId(id), text: todoText(text) }),
  ],
  ['todos.remove', ({ store }, id) => store.write({ op: 'remove', id: todoId(id) })],
  ['todos.clearDone', ({ store }) => store.write({ op: 'clearDone' })],
  ['echo', (_, value) => value],
  ['slow', async (_, ms, value) => (await delay(milliseconds(ms)), value)],
  ['count', ({ store }, key) => store.increment(string('key', key, 200))],
  [
    'fail',
    (_, code, reason) => {
      if (typeof code !== 'number' && typeof code !== 'string') throw bad('code', 'a number or string', code);
      throw new MethodError(code, string('reason', reason, 1000));
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

export const bad = (name: string, expected: string, value: unknown): MethodError =>
  new MethodError(
    400,
    `${name} must be ${expected}, not ${(JSON.stringify(value) ?? 'undefined').slice(0, 100)}`,
  );

function string(name: string, value: unknown, maxLength: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxLength) {
    throw bad(name, `a string of 1 to ${maxLength} characters`, value);
  }
  return value;
}

const todoId = (value: unknown): string => string('_id', value, 100);

function todoText(value: unknown): string {
  const text = string('text', value, 1000);
  if (text.trim() === '') throw bad('text', 'more than spaces', value);
  return text;
}

function boolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw bad(name, 'a boolean', value);
  return value;
}

function milliseconds(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 120_000))
    throw bad('ms', 'a number from 0 to 120000', value);
  return value;
}
