/** Tells the control room how this page fares. Never in the way of the app: a lost message is a lost message. */

/** The control room forgets a page it has not heard of for 15 s. */
const EVERY_MS = 5_000;

/**
 * @param controlUrl origin of the control room; undefined: nothing is sent
 * @param read gives the present `{ status, node, rttMs }`
 */
export function reportToControlRoom(controlUrl, read) {
  if (controlUrl === undefined) return { send() {} };
  const id = crypto.randomUUID();
  const url = new URL('/api/clients', controlUrl).href;
  // Plain text: a JSON content type would cost a preflight per message.
  const body = (more) => JSON.stringify({ id, ...read(), ...more });

  function send(more) {
    fetch(url, { method: 'POST', body: body(more), keepalive: true }).catch(() => {});
  }

  setInterval(send, EVERY_MS);
  addEventListener('pagehide', () => navigator.sendBeacon(url, body({ gone: true })));
  addEventListener('pageshow', (event) => {
    if (event.persisted) send();
  });
  return { send };
}
