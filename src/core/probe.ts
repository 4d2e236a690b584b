import type { Env } from './env.ts';
import type { ResolvedOptions } from './options.ts';
import { redact } from './target.ts';
import type { ProbeReport, ProbeVerdict } from './report.ts';

/** What the status of an HTTP answer says about the way to the app (FACTS: nginx, HAProxy, kamal-proxy, CDNs). */
export function classifyStatus(status: number, hasRetryAfter: boolean): ProbeVerdict {
  if (status === 429 || (status === 503 && hasRetryAfter)) return 'overloaded';
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'not-found';
  // 520–529: CDNs that cannot reach or understand the origin.
  if (status === 502 || status === 503 || status === 504 || (status >= 520 && status <= 529))
    return 'gateway';
  if ((status >= 200 && status < 300) || status === 400 || status === 426) return 'healthy';
  return 'unknown';
}

/** The WebSocket URL over http(s), without the query, which may carry a token. */
export function probeUrl(url: string): string {
  return redact(url).replace(/^ws/, 'http');
}

/**
 * Asks over HTTP why dials fail. It speaks of another connection than theirs, so its answer is evidence and never ends a
 * link. Resolves undefined where the options or the environment do not allow to ask; never rejects.
 */
export async function probe(
  url: string,
  options: Exclude<ResolvedOptions['probe'], false>,
  env: Env,
  signal: AbortSignal,
): Promise<ProbeReport | undefined> {
  const at = new URL(options.url ?? probeUrl(url), env.baseUrl).href;
  const sameOrigin = env.baseUrl !== undefined && new URL(at).origin === new URL(env.baseUrl).origin;
  if (!env.fetch || !(sameOrigin || options.crossOrigin)) return undefined;
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = env.setTimeout(abort, options.timeoutMs);
  signal.addEventListener('abort', abort, { once: true });
  const start = env.now();
  const report = (verdict: ProbeVerdict, status?: number): ProbeReport => ({
    url: redact(at),
    startedAt: env.timeOrigin + start,
    durationMs: env.now() - start,
    verdict,
    ...(status ? { status } : {}),
  });
  try {
    const answer = await env.fetch(at, {
      cache: 'no-store',
      redirect: 'manual',
      credentials: sameOrigin ? 'same-origin' : 'omit',
      signal: controller.signal,
    });
    // The body is of no interest; leaving it unread would keep the connection busy.
    void answer.body?.cancel().catch(() => {});
    if (answer.type.startsWith('opaque')) return report('unknown');
    return report(classifyStatus(answer.status, answer.headers.has('retry-after')), answer.status);
  } catch {
    return signal.aborted ? undefined : report('unreachable');
  } finally {
    env.clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
