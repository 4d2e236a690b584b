import type { Env } from './env.ts';
import { show } from './errors.ts';
import type { DialContext, ProtocolSource, UrlSource } from './options.ts';

export interface Where {
  readonly url: string;
  readonly protocols: string | string[] | undefined;
  /** The address as the app gave it, before `{attempt}` was filled in. */
  readonly given: string;
}

/** Where to dial: asks the providers, fills `{attempt}`, takes of a list the address whose last failure is oldest. */
export interface Target {
  /** Every dial has a path of its own. */
  readonly freshPath: boolean;
  /** A loopback address needs no network, whatever the browser says about being offline. */
  readonly loopback: boolean;
  /** The URL of the last dial; '' before the first one of a provider. */
  readonly lastUrl: string;
  /** The next dial's address; at once unless a provider is to be asked. Rejects if a provider throws or answers nonsense. */
  ask(context: DialContext): Where | Promise<Where>;
  /** This address failed: of a list the others come first. */
  failed(where: Where | undefined): void;
}

/** @throws SyntaxError (DOMException) as `new WebSocket` does, where the address is known already */
export function createTarget(
  urlSource: UrlSource,
  protocolSource: ProtocolSource | undefined,
  env: Env,
): Target {
  // Copies: what the app does to its own lists later must not reach a dial.
  const urls =
    typeof urlSource === 'function'
      ? urlSource
      : listOf(urlSource).map((url) => (url instanceof URL ? url.href : url));
  const protocols = Array.isArray(protocolSource) ? [...protocolSource] : protocolSource;
  let freshPath = false;
  let loopback = false;
  let lastUrl = '';
  /** Addresses in the order of their last failure. */
  const failed = new Set<string | undefined>();

  const fill = (url: string | URL): string => {
    const template = String(url);
    // Firefox keys its penalty by path, so the query does not count. A URL object has its braces escaped.
    freshPath = /^[^?]*(\{|%7B)attempt(\}|%7D)/.test(template);
    // 8 characters of base 36: unlikely to repeat within an engine's memory.
    const token = () => env.random().toString(36).slice(2, 10).padEnd(8, '0');
    const at = parseUrl(template.replace(/(\{|%7B)attempt(\}|%7D)/g, token), url, env.baseUrl);
    loopback = /^((.*\.)?localhost|127\.[\d.]+|\[::1\])$/.test(at.hostname);
    return at.href;
  };
  const pick = (given: string | URL | readonly string[], wanted: string | string[] | undefined): Where => {
    const order = [...failed];
    const best = listOf(given).reduce((a, b) =>
      order.indexOf(String(b)) < order.indexOf(String(a)) ? b : a,
    );
    checkProtocols(wanted);
    lastUrl = fill(best);
    return { url: lastUrl, protocols: wanted, given: String(best) };
  };
  const known = typeof urls !== 'function';
  if (known) for (const url of listOf(urls)) fill(url);
  if (typeof protocols !== 'function') {
    checkProtocols(protocols);
    if (known) pick(urls, protocols);
  }

  return {
    get freshPath() {
      return freshPath;
    },
    get loopback() {
      return loopback;
    },
    get lastUrl() {
      return lastUrl;
    },
    ask(context) {
      if (known && typeof protocols !== 'function') return pick(urls, protocols);
      return (async () => {
        const given = known ? urls : await urls(context);
        return pick(given, typeof protocols === 'function' ? await protocols(context) : protocols);
      })();
    },
    failed(where) {
      failed.delete(where?.given);
      failed.add(where?.given);
      // Providers may answer a new address each time.
      if (failed.size > 100) failed.clear();
    },
  };
}

function listOf(urls: string | URL | readonly string[]): readonly (string | URL)[] {
  const list = Array.isArray(urls) ? (urls as readonly string[]) : [urls as string | URL];
  if (list.length === 0) throw syntaxError('url: an empty list');
  return list;
}

function parseUrl(text: string, given: unknown, base: string | undefined): URL {
  try {
    const at = new URL(text, base);
    at.protocol = at.protocol.replace('http', 'ws');
    if ((typeof given === 'string' || given instanceof URL) && /^wss?:$/.test(at.protocol) && !at.hash)
      return at;
  } catch {
    // as bad as one of the wrong scheme
  }
  throw syntaxError(`url: ${show(given)} is no WebSocket URL`);
}

/** RFC 6455 4.1: tokens of RFC 2616, each once. */
function checkProtocols(protocols: unknown): void {
  const list: unknown[] = protocols === undefined ? [] : Array.isArray(protocols) ? protocols : [protocols];
  list.forEach((protocol, i) => {
    if (
      typeof protocol !== 'string' ||
      !/^[!#$%&'*+\-.^_`|~\w]+$/.test(protocol) ||
      list.indexOf(protocol) < i
    ) {
      throw syntaxError(`protocols: ${show(protocol)} is no subprotocol name or stands twice`);
    }
  });
}

export const syntaxError = (message: string): DOMException => new DOMException(message, 'SyntaxError');

/** A URL fit for logs and reports: without userinfo, query and fragment. */
export function redact(url: string | undefined): string {
  if (!url) return '';
  const at = new URL(url);
  at.username = at.password = at.search = at.hash = '';
  return at.href;
}
