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
export class Target {
  /** Every dial has a path of its own. */
  freshPath = false;
  /** A loopback address needs no network, whatever the browser says about being offline. */
  loopback = false;
  /** The URL of the last dial. */
  lastUrl: string | undefined;
  /** Addresses in the order of their last failure. */
  readonly #failed = new Set<string | undefined>();

  constructor(
    private readonly urls: UrlSource,
    private readonly protocols: ProtocolSource | undefined,
    private readonly env: Env,
  ) {
    // Checked at once where that is possible, so that a bad URL throws from the constructor as WebSocket's does.
    if (typeof urls !== 'function') {
      for (const url of listOf(urls)) this.#fill(url);
      this.#pick(urls, undefined);
    }
    if (typeof protocols !== 'function') checkProtocols(protocols);
  }

  /** The next dial's address; at once unless a provider is to be asked. Rejects if a provider throws or answers nonsense. */
  ask(context: DialContext): Where | Promise<Where> {
    const { urls, protocols } = this;
    if (typeof urls !== 'function' && typeof protocols !== 'function') return this.#pick(urls, protocols);
    return (async () => {
      const given = typeof urls === 'function' ? await urls(context) : urls;
      const wanted = typeof protocols === 'function' ? await protocols(context) : protocols;
      checkProtocols(wanted);
      return this.#pick(given, wanted);
    })();
  }

  /** This address failed: of a list the others come first. */
  failed(where: Where | undefined): void {
    this.#failed.delete(where?.given);
    this.#failed.add(where?.given);
    // Providers may answer a new address each time.
    if (this.#failed.size > 100) this.#failed.clear();
  }

  #pick(urls: string | URL | readonly string[], protocols: string | string[] | undefined): Where {
    const order = [...this.#failed];
    const given = listOf(urls).reduce((best, url) =>
      order.indexOf(String(url)) < order.indexOf(String(best)) ? url : best,
    );
    this.lastUrl = this.#fill(given);
    return { url: this.lastUrl, protocols, given: String(given) };
  }

  #fill(url: string | URL): string {
    if (typeof url !== 'string' && !(url instanceof URL)) {
      throw syntaxError(`url: expected a string or URL, got ${show(url)}`);
    }
    const template = String(url);
    // Firefox keys its penalty by path, so the query does not count. A URL object has its braces escaped.
    this.freshPath = /^[^?]*(\{|%7B)attempt(\}|%7D)/.test(template);
    const filled = template.replace(/(\{|%7B)attempt(\}|%7D)/g, () => this.#token());
    const at = parseUrl(filled, this.env.baseUrl);
    this.loopback = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(at.hostname);
    return at.href;
  }

  /** Unlikely to repeat within an engine's memory: 8 characters of base 36. */
  #token(): string {
    return this.env.random().toString(36).slice(2, 10).padEnd(8, '0');
  }
}

function listOf(urls: string | URL | readonly string[]): readonly (string | URL)[] {
  const list = Array.isArray(urls) ? (urls as readonly string[]) : [urls as string | URL];
  if (list.length === 0) throw syntaxError('url: an empty list');
  return list;
}
/** @throws SyntaxError DOMException as `new WebSocket` does */
function parseUrl(url: string, base: string | undefined): URL {
  let at: URL;
  try {
    at = new URL(url, base);
  } catch {
    throw syntaxError(`url: ${show(url)} is not a valid URL`);
  }
  at.protocol = at.protocol.replace(/^http/, 'ws');
  if (!/^wss?:$/.test(at.protocol))
    throw syntaxError(`url: ${show(url)} is not a ws, wss, http or https URL`);
  if (at.hash) throw syntaxError(`url: ${show(url)} has a fragment`);
  return at;
}

/** RFC 6455 4.1: tokens of RFC 2616, each once. */
function checkProtocols(protocols: unknown): void {
  if (protocols === undefined) return;
  const list: unknown[] = Array.isArray(protocols) ? protocols : [protocols];
  const seen = new Set<unknown>();
  for (const protocol of list) {
    if (
      typeof protocol !== 'string' ||
      !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(protocol) ||
      seen.has(protocol)
    ) {
      throw syntaxError(`protocols: ${show(protocol)} is not a subprotocol name, or stands twice`);
    }
    seen.add(protocol);
  }
}

export const syntaxError = (message: string): DOMException => new DOMException(message, 'SyntaxError');

/** A URL fit for logs and reports: without userinfo, query and fragment. */
export function redact(url: string | undefined): string {
  if (!url) return '';
  const at = new URL(url);
  at.username = at.password = at.search = at.hash = '';
  return at.href;
}
