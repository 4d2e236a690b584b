/**
 * Logins as Meteor's accounts packages put them on the wire. The demo has one password, valid for any name. A login token is
 * signed, not stored: every node with the key accepts it, and it outlives all nodes.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { MethodError } from './method-error.ts';

export interface User {
  id: string;
  username: string;
}

/** The answer of `login`. */
export interface LoginResult {
  id: string;
  token: string;
  tokenExpires: { $date: number };
  type: 'password' | 'resume';
}

const demoPassword = 'demo';
/** Meteor's default (`loginExpirationInDays`). */
const lifetimeMs = 90 * 24 * 60 * 60 * 1000;

const refused = (reason: string): MethodError => new MethodError(403, reason);
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

function isSame(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

export class Accounts {
  readonly #key: string;

  /** @param key signs login tokens; the same on all nodes */
  constructor(key: string) {
    this.#key = key;
  }

  /** @throws MethodError 400 for credentials of an unknown form, 403 for a login that is refused */
  login(credentials: unknown): { user: User; result: LoginResult } {
    const { resume, user, password } = (credentials ?? {}) as Record<
      string,
      Record<string, unknown> | string
    >;
    if (typeof resume === 'string') return this.#resume(resume);
    const username = typeof user === 'object' ? user['username'] : undefined;
    const digest = typeof password === 'object' ? password['digest'] : undefined;
    if (typeof username !== 'string' || !/^\w{1,50}$/.test(username) || typeof digest !== 'string')
      throw new MethodError(400, 'Unrecognized options for login request');
    if (!isSame(digest, hash(demoPassword))) throw refused('Incorrect password');
    const expires = Date.now() + lifetimeMs;
    const text = `${username}.${expires}`;
    return this.#welcome(username, `${text}.${this.#sign(text)}`, expires, 'password');
  }

  #resume(token: string): { user: User; result: LoginResult } {
    const [username = '', expires = '', signature = ''] = token.split('.');
    if (!isSame(signature, this.#sign(`${username}.${expires}`)) || Number(expires) < Date.now())
      throw refused("You've been logged out by the server. Please log in again.");
    return this.#welcome(username, token, Number(expires), 'resume');
  }

  #welcome(username: string, token: string, expires: number, type: LoginResult['type']) {
    const user = { id: hash(username).slice(0, 17), username };
    return { user, result: { id: user.id, token, tokenExpires: { $date: expires }, type } };
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('hex');
  }
}
