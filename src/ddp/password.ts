import { validate, isObject, isString } from '../shared/validate.ts';
import type { Env } from '../core/env/env.ts';

/** A user as Meteor's password login takes it; a text with an `@` is an email, any other a username. */
export type UserSelector =
  string | { readonly id: string } | { readonly username: string } | { readonly email: string };

/**
 * Credentials for `login`: the password leaves as its SHA-256 digest, as Meteor's own client sends it, so that the server never
 * sees the text. Browsers digest on secure pages only; on others the text itself is sent, over a connection that anybody can
 * read anyway.
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
