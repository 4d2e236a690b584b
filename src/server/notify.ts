/** What the server does to its clients: sends a notice, closes, and goes through a crowd without blocking the process. */
import type { Client } from './clients.ts';

/** Ten thousand clients must not hold up everything else: after this time the event loop gets one turn. */
const SLICE_MS = 5;

/** Acts on each client, in slices of `SLICE_MS`. A client that throws has just gone; the others are not affected. */
export async function forEachClient(clients: Iterable<Client>, act: (client: Client) => void): Promise<void> {
  let since = performance.now();
  for (const client of clients) {
    try {
      act(client);
    } catch {
      // A client that cannot be sent to or closed is destroyed with its connection.
    }
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise<void>((resume) => setImmediate(resume));
    since = performance.now();
  }
}

export const sendNotice = (client: Client, notice: object): void => {
  const text = JSON.stringify(notice);
  if ('send' in client) client.send(text);
  else client.write(text);
};

/**
 * Closes with 1012, service restart (IANA's registry of WebSocket close codes), where the server can send it. SockJS's raw
 * WebSockets, and so Meteor's `/websocket`, send 1000 instead: faye-websocket refuses other protocol codes, as a browser does.
 */
export function closeForRestart(client: Client & { readonly protocol?: unknown }): void {
  const args = client.protocol === 'websocket-raw' ? [] : [1012, 'service restart'];
  // The servers agree on code and reason, but not on their types.
  client.close(...(args as never[]));
}

/** Wraps an action so that it runs at most once for each client. */
export function oncePerClient<T extends unknown[]>(
  act: (client: Client, ...rest: T) => void,
): (client: Client, ...rest: T) => void {
  const done = new WeakSet<Client>();
  return (client, ...rest) => {
    if (done.has(client)) return;
    done.add(client);
    act(client, ...rest);
  };
}
