/** Tells the control room how this page fares. Never in the way of the app: a lost message is a lost message. */

/** The control room forgets a page it has not heard of for 15 s. */
const EVERY_MS = 5_000;

/** News waits so long for more: during a failover the page has better things to do than to tell of it. */
const COALESCE_MS = 500;

/**
 * @param controlUrl origin of the control room; undefined: nothing is sent
 * @param read gives the present `{ status, node, rttMs }`
 */
export function reportToControlRoom(controlUrl, read) {
  if (controlUrl === undefined) return { send() {} };
  const id = crypto.randomUUID();
  const url = new URL('/api/clients', controlUrl).href;
  const reports = [];
  let timer;
  // Plain text: a JSON content type would cost a preflight per message.
  const body = (more) => JSON.stringify({ id, ...read(), ...more });
  const post = (more) => fetch(url, { method: 'POST', body: body(more), keepalive: true }).catch(() => {});

  function flush() {
    timer = undefined;
    if (reports.length === 0) post();
    for (const report of reports.splice(0)) post({ report });
  }

  /** Soon, with whatever else there is by then. */
  function send({ report } = {}) {
    if (report) reports.push(report);
    timer ??= setTimeout(flush, COALESCE_MS);
  }

  setInterval(send, EVERY_MS);
  addEventListener('pagehide', () => navigator.sendBeacon(url, body({ gone: true })));
  addEventListener('pageshow', (event) => {
    if (event.persisted) flush();
  });
  return { send };
}
