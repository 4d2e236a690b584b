import { isolate, type Env } from '../core/env/env.ts';
import type { DDPOptions } from './options.ts';

/** The token that resumes a login on the next connection. */
export interface Tokens {
  get(): string | undefined;
  set(token: string | undefined): void;
}

/** In memory, and where the app says so in a storage, which may fail (full, forbidden): that is reported and changes nothing here. */
export function createTokens(env: Env, storage: DDPOptions['tokenStorage'], key = 'ddp.loginToken'): Tokens {
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
