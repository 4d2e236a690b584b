import { validate, isObject, isString } from '../shared/validate.ts';
import { isolate, type Env } from '../core/env/env.ts';
import { FailoverError } from '../core/api/errors.ts';
import type { DDPError } from './errors.ts';
import type { Methods } from './methods.ts';
import type { DDPOptions } from './options.ts';
import type { Wire } from './wire.ts';

/** A user as Meteor's password login takes it. A string with an `@` is an email, any other a username. */
export type UserSelector =
  string | { readonly id: string } | { readonly username: string } | { readonly email: string };

/** Logging in and out, and the token that resumes the login on every later connection. */
export interface Login {
  /** The user who is logged in, as the server's answer named them. */
  readonly userId: string | undefined;
  logIn(credentials: unknown, method: string): Promise<unknown>;
  logOut(): Promise<void>;
  /** Logs in with the token, if there is one. Returns the id of the call. */
  resume(): string | undefined;
}

/** @param reportError receives the error of a login that could not be resumed */
export function createLogin(
  env: Env,
  wire: Pick<Wire, 'nextId'>,
  storage: { readonly at: DDPOptions['tokenStorage']; readonly key: string | undefined },
  apply: Methods['apply'],
  reportError: (error: FailoverError) => void,
): Login {
  const token = createTokenStore(env, storage.at, storage.key);
  let userId: string | undefined;

  const remember = (result: unknown): void => {
    const { id, token: newToken } = Object(result) as { id?: unknown; token?: unknown };
    if (typeof newToken === 'string') token.set(newToken);
    if (typeof id === 'string') userId = id;
  };

  const forget = (): void => {
    token.set(undefined);
    userId = undefined;
  };

  return {
    get userId() {
      return userId;
    },
    logIn: async (credentials, method) =>
      apply(method, [validate('credentials', credentials, isObject)], {}, { onResult: remember }),
    async logOut() {
      forget();
      // Once more when the server has answered: a login that was under way has brought a new token.
      await apply('logout', [], {}, { onResult: forget });
    },
    resume() {
      const resumed = token.get();
      if (resumed === undefined) return;
      const id = wire.nextId();
      // Unless the app has logged out meanwhile.
      const isCurrent = () => token.get() === resumed;
      const onResult = (result: unknown) => {
        if (isCurrent()) remember(result);
      };
      apply('login', [{ resume: resumed }], { retry: false }, { id, onResult }).catch(
        (cause: FailoverError) => {
          // Lost with its connection: the next one resumes the login again.
          if (cause.kind !== 'server' && cause.kind !== 'timeout') return;
          // Meteor answers 403 to a token that is no longer valid; a server in trouble answers otherwise.
          const isRefused = (cause as Partial<DDPError>).code === 403;
          if (isRefused && isCurrent()) forget();
          const advice = isRefused
            ? 'The server no longer accepts the token: log in again.'
            : 'The next connection tries again.';
          const message = `The login could not be resumed (${cause.message}). ${advice}`;
          reportError(new FailoverError('handshake', message, { cause }));
        },
      );
      return id;
    },
  };
}

interface TokenStore {
  get(): string | undefined;
  set(token: string | undefined): void;
}

/** Keeps the token in memory and in the app's storage. A storage that fails (full, forbidden) is reported; memory still serves. */
function createTokenStore(
  env: Pick<Env, 'reportError'>,
  storage: DDPOptions['tokenStorage'],
  key = 'ddp.loginToken',
): TokenStore {
  let token: string | undefined;
  isolate(env, () => (token = storage?.getItem(key) || undefined));
  return {
    get: () => token,
    set(next) {
      token = next;
      isolate(env, () => (next === undefined ? storage?.removeItem(key) : storage?.setItem(key, next)));
    },
  };
}

/**
 * Makes the credentials of a password login. The password leaves as its SHA-256 digest, as Meteor's own client sends it, so the
 * server never sees the text. Browsers compute digests on secure pages only (`crypto.subtle`). On others the text itself
 * is sent, over a connection that anybody can read anyway.
 */
export async function passwordCredentials(
  { subtle }: Pick<Env, 'subtle'>,
  user: UserSelector,
  password: string,
): Promise<object> {
  validate('password', password, isString);
  return {
    user:
      typeof user === 'string'
        ? { [user.includes('@') ? 'email' : 'username']: user }
        : validate('user', user, isObject),
    password: subtle ? { digest: await sha256(subtle, password), algorithm: 'sha-256' } : password,
  };
}

async function sha256(subtle: NonNullable<Env['subtle']>, text: string): Promise<string> {
  const digest = await subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
