/** Reports the state of this page to the control room. The app never waits for it, and a lost message stays lost. */
import { randomId } from './ids.js';

/** The control room forgets a page after 15 s of silence (demo/cluster/telemetry.ts). */
const INTERVAL_MS = 5_000;

/** News waits this long for more news: a request costs time just when the page dials. A suspicion still shows while it lasts. */
const DELAY_MS = 100;

/** Least time between two messages. */
const MIN_INTERVAL_MS = 200;

/**
 * @param controlUrl origin of the control room; nothing is sent when it is undefined
 * @param read returns the present state, in the fields of demo/cluster/telemetry.ts
 */
export function reportToControlRoom(controlUrl, read) {
  if (controlUrl === undefined) return { send() {} };
  const id = randomId();
  const url = new URL('/api/clients', controlUrl).href;
  const reports = [];
  let timer;
  let flushedAt = -Infinity;
  // Sent as plain text: a JSON content type would cost a CORS preflight per message.
  const body = (more) => JSON.stringify({ id, ...read(), ...more });
  const post = (more) => fetch(url, { method: 'POST', body: body(more), keepalive: true }).catch(() => {});

  function flush() {
    timer = undefined;
    flushedAt = performance.now();
    if (reports.length === 0) post();
    for (const report of reports.splice(0)) post({ report });
  }

  /** Sends the present state soon, together with all reports until then. */
  function send({ report } = {}) {
    if (report) reports.push(report);
    timer ??= setTimeout(flush, Math.max(DELAY_MS, flushedAt + MIN_INTERVAL_MS - performance.now()));
  }

  setInterval(send, INTERVAL_MS);
  addEventListener('pagehide', () => navigator.sendBeacon(url, body({ gone: true })));
  addEventListener('pageshow', (event) => {
    if (event.persisted) flush();
  });
  return { send };
}
