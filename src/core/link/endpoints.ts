import type { Env } from '../env/env.ts';
import { formatValue } from '../../shared/format-value.ts';
import type { DialContext, ProtocolSource, UrlSource } from '../api/options.ts';

export interface Endpoint {
  readonly url: string;
  /** Host and port of `url`: what engines and balancers tell addresses apart by. */
  readonly host: string;
  readonly protocols: string | string[] | undefined;
  /** The address as the app gave it, before `{attempt}` was filled in. */
  readonly given: string;
}

/** Where to dial: asks the providers, fills `{attempt}`, and of a list takes the address whose last failure is oldest. */
export interface Endpoints {
  /** Every dial has a path of its own. */
  readonly freshPath: boolean;
  /** A loopback address needs no network, whatever the browser says about being offline. */
  readonly loopback: boolean;
  /** Host of the next dial; '' while none is known. */
  readonly host: string;
  /** The URL of the last dial; '' before the first one of a provider. */
  readonly lastUrl: string;
  /** The next dial's address. A promise if a provider is asked; it rejects if that throws or answers no WebSocket URL. */
  next(context: DialContext): Endpoint | Promise<Endpoint>;
  /** The best address of the last list on another host, to be dialled beside this one. */
  alternativeTo(where: Endpoint): Endpoint | undefined;
  /** Takes this address for the next dial only, whatever list and provider say, if its origin is among `origins`. */
  preferOnce(url: string, origins: readonly string[]): void;
  /** The address failed: for a minute, the others of a list come first. */
  markFailed(where: Endpoint | undefined): void;
  /** The address serves: its failure is forgotten. */
  markServing(where: Endpoint): void;
}

/** After a minute a balancer or an operator has acted, and the order of the list is the preference again. */
const FORGET_MS = 60_000;

/**
 * @param urlSource one address, several in order of preference, or a provider asked before every dial
 * @throws SyntaxError (DOMException) as `new WebSocket` does, where the address is known already
 */
export function createEndpoints(
  urlSource: UrlSource,
  protocolSource: ProtocolSource | undefined,
  env: Env,
): Endpoints {
  // Copies: a list that the app changes later must not reach a dial.
  const urls =
    typeof urlSource === 'function'
      ? urlSource
      : listOf(urlSource).map((url) => (url instanceof URL ? url.href : url));
  const protocols = Array.isArray(protocolSource) ? [...protocolSource] : protocolSource;
  /** The addresses to choose from, as they were filled in last. */
  let list: readonly Endpoint[] = [];
  let last: Endpoint | undefined;
  let preferred: string | undefined;
  /** When each address failed last, oldest first. */
  const failures = new Map<string, number>();

  const fill = (url: string | URL, wanted?: string | string[]): Endpoint => {
    const given = String(url);
    // 8 characters of base 36 are unlikely to repeat within an engine's memory. A URL object has its braces escaped.
    const token = () => env.random().toString(36).slice(2, 10).padEnd(8, '0');
    const { href, host } = parseUrl(given.replace(/(\{|%7B)attempt(\}|%7D)/g, token), url, env.baseUrl);
    return { url: href, host, protocols: wanted, given };
  };
  const best = (of: readonly Endpoint[]): Endpoint | undefined => {
    for (const [given, at] of failures) if (env.now() - at >= FORGET_MS) failures.delete(given);
    const order = [...failures.keys()];
    return [...of].sort((a, b) => order.indexOf(a.given) - order.indexOf(b.given))[0];
  };
  const pick = (given: string | URL | readonly string[], wanted: string | string[] | undefined): Endpoint => {
    checkProtocols(wanted);
    const choice = listOf(given).map((url) => fill(url, wanted));
    if (given === preferred) preferred = undefined;
    else list = choice;
    return (last = best(choice)!);
  };
  if (typeof urls !== 'function') pick(urls, typeof protocols === 'function' ? undefined : protocols);
  else if (typeof protocols !== 'function') checkProtocols(protocols);

  return {
    get freshPath() {
      // Firefox keys its penalty by path, so the query does not count.
      return /^[^?]*(\{|%7B)attempt(\}|%7D)/.test(last?.given ?? '');
    },
    get loopback() {
      return /^((.*\.)?localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(last?.host ?? '');
    },
    get host() {
      return (best(list) ?? last)?.host ?? '';
    },
    get lastUrl() {
      return last?.url ?? '';
    },
    next(context) {
      const source = preferred ?? urls;
      if (typeof source !== 'function' && typeof protocols !== 'function') return pick(source, protocols);
      // Not called from within the dial: a provider may reconnect or close.
      return Promise.resolve().then(async () =>
        pick(
          typeof source === 'function' ? await source(context) : source,
          typeof protocols === 'function' ? await protocols(context) : protocols,
        ),
      );
    },
    alternativeTo({ host, protocols }) {
      const other = best(
        list.map(({ given }) => fill(given, protocols)).filter((where) => where.host !== host),
      );
      last = other ?? last;
      return other;
    },
    preferOnce(url, origins) {
      try {
        const where = fill(url);
        if (origins.includes(new URL(where.url).origin)) preferred = where.given;
      } catch {
        // A bad URL from the wire is not worth an error.
      }
    },
    markFailed(where) {
      if (!where) return;
      failures.delete(where.given);
      failures.set(where.given, env.now());
      // Bounded: providers may answer a new address each time.
      if (failures.size > 100) failures.clear();
    },
    markServing(where) {
      last = where;
      preferred = undefined;
      failures.delete(where.given);
    },
  };
}

function listOf(urls: string | URL | readonly string[]): readonly (string | URL)[] {
  const list = [urls].flat() as readonly (string | URL)[];
  if (!list.length)
    throw syntaxError(
      'url: expected at least one address, got an empty list. Give a WebSocket URL, or several in order of preference.',
    );
  return list;
}

function parseUrl(text: string, given: unknown, base: string | undefined): URL {
  try {
    const at = new URL(text, base);
    at.protocol = at.protocol.replace('http', 'ws');
    if ((typeof given === 'string' || given instanceof URL) && /^wss?:$/.test(at.protocol) && !at.hash)
      return at;
  } catch {
    // It is as bad as one of the wrong scheme.
  }
  // A warning may carry it further, so userinfo and query are left out.
  const shown = formatValue(given).replace(/\/\/.*@|\?.*/g, '…');
  throw syntaxError(
    base === undefined
      ? `url: expected an absolute WebSocket URL (ws:, wss:, or http(s):, which is turned into it) without fragment, got ${shown}. A relative one needs a page, or \`env.baseUrl\`.`
      : `url: expected a WebSocket URL (ws:, wss:, or http(s): and relative ones, which are turned into it) without fragment, got ${shown}.`,
  );
}

/** RFC 6455, section 4.1: tokens of RFC 2616, each given once. */
function checkProtocols(protocols: unknown): void {
  const list: unknown[] = protocols === undefined ? [] : [protocols].flat();
  list.forEach((protocol, i) => {
    if (
      typeof protocol !== 'string' ||
      !/^[!#$%&'*+\-.^_`|~\w]+$/.test(protocol) ||
      list.indexOf(protocol) < i
    ) {
      throw syntaxError(
        `protocols: expected subprotocol names (RFC 6455 tokens), each given once, got ${formatValue(protocol)}.${
          typeof protocol === 'object' && protocol !== null
            ? ' Options are the third argument: new FailoverWebSocket(url, undefined, { … }).'
            : ''
        }`,
      );
    }
  });
}

export const syntaxError = (message: string): DOMException => new DOMException(message, 'SyntaxError');

/** A URL fit for logs and reports: without userinfo, query and fragment. */
export function redactUrl(url: string | undefined): string {
  if (!url) return '';
  const at = new URL(url);
  at.username = at.password = at.search = at.hash = '';
  return at.href;
}
