import { validate } from '../shared/validate.ts';
import { watchClients } from './clients.ts';
import { resolveDrainOptions, type DrainOptions } from './drain-options.ts';
import {
  isHttpServer,
  refuseUpgrades,
  startClosing,
  trackConnections,
  type HttpServer,
} from './http-server.ts';
import { closeForRestart, forEachClient, oncePerClient, sendNotice } from './notify.ts';
import { spreadFor } from './spread.ts';

export interface Drain {
  /** True from the beginning of the drain. The health check answers 503 from then on. */
  readonly draining: boolean;
  /**
   * Begins the drain, or joins the one that has begun. Resolves when the server is closed and `onDrained` is done.
   * Rejects with the error of `onDrain` or `onDrained`.
   */
  start(): Promise<void>;
  /** Removes signal handlers and listeners. It does not stop a drain that has begun. */
  uninstall(): void;
}

/** How often the clients that are still here are counted, ms. */
const COUNT_MS = 50;

/**
 * Takes this node out of service without its clients noticing. On SIGTERM, or on `start()`, it
 *
 * 1. refuses new WebSockets with 503,
 * 2. tells every client `{"msg":"drain","afterMs":…,"spreadMs":…}`, and a URL if you give one,
 * 3. serves until all clients have moved or `afterMs` is over,
 * 4. closes the remaining clients with 1012, then the server,
 * 5. ends the process, unless `exit` is false.
 *
 * All of it takes at most `afterMs + 3 · graceMs`, or `lingerMs` in place of `afterMs` if that is longer.
 *
 * Install it before the server listens: only connections it has seen can be cut off if they do not end.
 *
 * @example
 * import { drain } from 'failover-websocket/server';
 *
 * const leaving = drain(httpServer, { clients: webSocketServer });
 * app.get('/up', (request, response) => response.sendStatus(leaving.draining ? 503 : 200)); // the health check
 * httpServer.listen(3000);
 *
 * @param server an `http.Server` or `https.Server`; in Meteor `WebApp.httpServer`
 * @throws RangeError for a bad server or option, with its name and value
 */
export function drain(server: HttpServer, options: DrainOptions): Drain {
  validate('server', server, isHttpServer);
  const settings = resolveDrainOptions(options);
  const { afterMs, lingerMs, graceMs, signals, exit, url, onDrain, onDrained } = settings;
  const crowd = watchClients(settings.clients);
  const connections = trackConnections(server);
  const announceDrain = oncePerClient(sendNotice);
  const closeOnce = oncePerClient(closeForRestart);

  let done: Promise<void> | undefined;
  const start = (): Promise<void> => (done ??= drainServer());
  const onSignal = (): void => void start();
  for (const signal of signals) process.on(signal, onSignal);
  const uninstall = (): void => {
    for (const signal of signals) process.off(signal, onSignal);
    connections.untrack();
    crowd.unwatch();
  };

  async function drainServer(): Promise<void> {
    try {
      refuseUpgrades(server);
      onDrain?.();
      const deadline = performance.now() + afterMs;
      await moveClients(deadline);
      await closeServer(deadline);
      await waitAtMost(graceMs, onDrained?.());
    } catch (error) {
      process.exitCode = 1;
      throw error;
    } finally {
      // One turn later, so that an error is reported first. Until then a second signal must not end the process.
      if (exit) setImmediate(() => process.exit());
      else uninstall();
    }
  }

  /** Tells all clients, latecomers too, until all have moved or the time is over. Then closes the remaining ones. */
  async function moveClients(deadline: number): Promise<void> {
    const spreadMs =
      settings.spreadMs ?? Math.min(spreadFor(crowd.list().size, settings.acceptPerSecond), afterMs / 2);
    for (let left = afterMs; ; left = deadline - performance.now()) {
      const clients = crowd.list();
      if (afterMs - left >= lingerMs && (clients.size === 0 || left <= 0)) break;
      const leftMs = Math.round(left);
      const notice = { msg: 'drain', afterMs: leftMs, spreadMs: Math.min(spreadMs, leftMs), url };
      await forEachClient(clients, left > 0 ? (client) => announceDrain(client, notice) : closeOnce);
      await sleep(left > 0 ? Math.min(COUNT_MS, left) : COUNT_MS);
    }
    await forEachClient(crowd.list(), closeOnce);
  }

  /** Requests under way may take until the deadline, closing handshakes `graceMs`. What is left then is cut off. */
  async function closeServer(deadline: number): Promise<void> {
    const { closed, cutOff } = startClosing(server, connections);
    await waitAtMost(Math.max(graceMs, deadline - performance.now()), closed);
    try {
      await forEachClient(crowd.list(), (client) => client.terminate?.());
    } finally {
      cutOff();
    }
    await waitAtMost(graceMs, closed);
  }

  return {
    get draining() {
      return done !== undefined;
    },
    start,
    uninstall,
  };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for the work, but no longer than `ms`. Rejects if the work does. */
async function waitAtMost(ms: number, work: unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work, timeout]).finally(() => clearTimeout(timer));
}
