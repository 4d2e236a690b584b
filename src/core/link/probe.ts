import type { Env } from '../env/env.ts';
import type { ResolvedOptions } from '../api/options.ts';
import type { Driver } from './driver.ts';
import { redactUrl, type Endpoints } from './endpoints.ts';
import type { Recorder } from './recorder.ts';
import type { ProbeReport, ProbeVerdict } from '../api/report.ts';

/** What the status of an HTTP answer says about the way to the app. The table is what nginx, HAProxy, kamal-proxy and CDNs answer. */
export function classifyStatus(status: number, hasRetryAfter: boolean): ProbeVerdict {
  const is = (digits: RegExp) => digits.test(String(status));
  if (status === 429 || (status === 503 && hasRetryAfter)) return 'overloaded';
  if (is(/40[13]/)) return 'unauthorized';
  if (status === 404) return 'not-found';
  // 52x: CDNs that cannot reach or understand the origin.
  if (is(/50[234]|52./)) return 'gateway';
  if (is(/2..|400|426/)) return 'healthy';
  return is(/3../) ? 'redirected' : 'unknown';
}

/** Where to look, in words for people. */
const ADVICE: Readonly<Record<ProbeVerdict, string>> = {
  gateway: 'A gateway answers, but the app behind it does not. Check whether the app runs on every node.',
  overloaded: 'The server asks to come back later. Dials are slowed down until it takes them.',
  unauthorized: 'The server refuses the credentials. Check whether the login or token has expired.',
  'not-found':
    'Nothing is served at this path, or the proxy does not know this host. Check the URL and the host name in the proxy.',
  healthy:
    'An app answers HTTP at this address. If dials go on failing, check whether a proxy strips the Upgrade header.',
  redirected:
    'The server redirects, perhaps to a login. WebSocket handshakes follow no redirect: use the final URL, or log in again.',
  unreachable:
    'No HTTP answer: refused, reset, a DNS or a TLS failure. Check whether the host is up and its certificate is valid.',
  offline: 'The browser says that there is no network.',
  unknown: 'The answer says nothing about the way to the app, or the browser hides it.',
};

/** Longest Retry-After that is believed, ms: the probe's connection may have reached another server than the dials. */
const MAX_RETRY_AFTER_MS = 600_000;

/**
 * A same-origin request that the browser itself refuses (Content-Security-Policy, a blocker) fails sooner than any network:
 * within 7 ms in Chromium 156 and 1 ms in Firefox 153, where a refusal on loopback takes from 3 and 6 ms.
 */
const REFUSED_BY_BROWSER_MS = 10;

/** Retry-After (RFC 9110, section 10.2.3) in ms: seconds, or a date. NaN if there is none that makes sense. */
export function retryAfter(headers: Headers, unixNow: number): number {
  const header = headers.get('retry-after') ?? '';
  const ms = /^\d+$/.test(header)
    ? Number(header) * 1_000
    : // Engines parse more than HTTP dates, for example "soon 5".
      Date.parse(/^\w+, \d.* GMT$/.test(header) ? header : '') - unixNow;
  return Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** The WebSocket URL over http(s), without the query, which may carry a token. */
export function probeUrl(url: string): string {
  return redactUrl(url).replace(/^ws/, 'http');
}

/**
 * Asks over HTTP why dials fail. The answer comes on another connection than theirs, so it is evidence and never ends a link.
 * Resolves with undefined if options or environment do not allow the question, or if it is aborted. Never rejects.
 */
export async function probe(
  url: string,
  options: Exclude<ResolvedOptions['probe'], false>,
  env: Env,
  signal: AbortSignal,
): Promise<ProbeReport | undefined> {
  const href = options.url ?? probeUrl(url);
  if (!env.fetch || !URL.canParse(href, env.baseUrl)) return undefined;
  const at = new URL(href, env.baseUrl);
  const page = env.baseUrl && new URL(env.baseUrl).origin;
  const sameOrigin = page === at.origin;
  if (!sameOrigin && !options.crossOrigin) return undefined;
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = env.setTimeout(abort, options.timeoutMs);
  signal.addEventListener('abort', abort);
  const start = env.now();
  const shown = redactUrl(at.href);
  const report = (verdict: ProbeVerdict, status?: number, retryAfterMs = NaN): ProbeReport => ({
    url: shown,
    startedAt: env.timeOrigin + start,
    durationMs: env.now() - start,
    verdict,
    advice: ADVICE[verdict],
    ...(status && { status }),
    ...(verdict === 'overloaded' && retryAfterMs >= 0 && { retryAfterMs }),
  });
  try {
    const answer = await env.fetch(at.href, {
      cache: 'no-store',
      redirect: 'manual',
      credentials: sameOrigin ? 'same-origin' : 'omit',
      signal: controller.signal,
    });
    // The body is not needed. Unread, it would keep the connection busy.
    void answer.body?.cancel().catch(() => {});
    if (answer.type === 'opaqueredirect') return report('redirected');
    // No redirect was followed, so another address is a page that a service worker keeps for when the network fails.
    if (answer.url && redactUrl(answer.url) !== shown) return report('unknown');
    const after = retryAfter(answer.headers, env.timeOrigin + env.now());
    return report(classifyStatus(answer.status, after >= 0), answer.status, after);
  } catch {
    if (signal.aborted) return undefined;
    if (!env.page.online()) return report('offline');
    // At the deadline nothing has answered. Before it, another origin may have answered without CORS headers, which looks the same.
    const failed =
      controller.signal.aborted || !page || (sameOrigin && env.now() - start >= REFUSED_BY_BROWSER_MS);
    return report(failed ? 'unreachable' : 'unknown');
  } finally {
    env.clearTimeout(timer);
  }
}

/** Dials that the budget must exceed before a probe may take one. Fewer than a fast lane, since what a probe finds changes the pace of all dials. */
const PROBE_RESERVE = 4;

/** Asks why dials fail, one question at a time. A probe never delays a dial. */
export interface Prober {
  start(): void;
  abort(): void;
}

export function createProber(
  { probe: options, env }: Pick<ResolvedOptions, 'probe' | 'env'>,
  endpoints: Endpoints,
  driver: Driver,
  recorder: Recorder,
  emit: (event: 'probe', report: ProbeReport) => void,
): Prober {
  let running: AbortController | undefined;
  return {
    start() {
      if (!options || running || !endpoints.lastUrl || !driver.takeSpareDial(PROBE_RESERVE)) return;
      const { outage } = recorder;
      const mine = (running = new AbortController());
      void probe(endpoints.lastUrl, options, env, mine.signal).then((report) => {
        if (running === mine) running = undefined;
        if (!report || recorder.outage !== outage) return;
        recorder.addProbe(report);
        emit('probe', report);
        driver.dispatch({ type: 'evidence', evidence: report });
      });
    },
    abort: () => running?.abort(),
  };
}
