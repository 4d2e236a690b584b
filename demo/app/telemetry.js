/** Tells the control room how this page fares. Never in the way of the app: a lost message is a lost message. */
import { randomId } from './ids.js';

/** The control room forgets a page it has not heard of for 15 s. */
const EVERY_MS = 5_000;

/** News waits so long for more: short enough for a link under suspicion to be seen while it is, and a request costs ms just when the page redials. */
const SOON_MS = 100;

/** At least so long between two messages. */
const COALESCE_MS = 200;

/**
 * @param controlUrl origin of the control room; undefined: nothing is sent
 * @param read gives the present state, as demo/server/telemetry.ts takes it
 */
export function reportToControlRoom(controlUrl, read) {
  if (controlUrl === undefined) return { send() {} };
  const id = randomId();
  const url = new URL('/api/clients', controlUrl).href;
  const reports = [];
  let timer;
  let flushedAt = -Infinity;
  // Plain text: a JSON content type would cost a preflight per message.
  const body = (more) => JSON.stringify({ id, ...read(), ...more });
  const post = (more) => fetch(url, { method: 'POST', body: body(more), keepalive: true }).catch(() => {});

  function flush() {
    timer = undefined;
    flushedAt = performance.now();
    if (reports.length === 0) post();
    for (const report of reports.splice(0)) post({ report });
  }

  /** Soon, with whatever else there is by then. */
  function send({ report } = {}) {
    if (report) reports.push(report);
    timer ??= setTimeout(flush, Math.max(SOON_MS, flushedAt + COALESCE_MS - performance.now()));
  }

  setInterval(send, EVERY_MS);
  addEventListener('pagehide', () => navigator.sendBeacon(url, body({ gone: true })));
  addEventListener('pageshow', (event) => {
    if (event.persisted) flush();
  });
  return { send };
}
