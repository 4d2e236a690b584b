import { createServer, type Server } from 'node:net';

/**
 * Both ranges lie below Linux's ephemeral ports (32768 and up, ip_local_port_range). An outgoing connection could take such a
 * port between a node's stop and its restart.
 */
const range = { first: 20_000, count: 10_000 };

/** For servers that stop and restart. */
const reserved = { first: 30_000, count: 2_000 };

/** A random even port for a cluster to try; the control room takes the odd one after it. */
export const candidatePort = (): number => range.first + 2 * Math.floor((Math.random() * range.count) / 2);

export const isPortTaken = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'EADDRINUSE';

/**
 * Listens on 127.0.0.1.
 *
 * @param port 0 picks a free one
 * @returns the port it listens on
 */
export async function listen(server: Server, port: number): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const candidate = port || candidatePort();
    try {
      await listenOn(server, candidate);
      return candidate;
    } catch (error) {
      if (port !== 0 || attempt === 50 || !isPortTaken(error)) throw error;
    }
  }
}

export interface ReservedPort {
  readonly port: number;
  release(): void;
}

/**
 * Reserves a port of 127.0.0.1 until it is released or this process ends. No other cluster takes it, even while nobody
 * listens there: this process holds the same port of 127.0.0.2. Where that address does not exist (macOS), the port is only
 * known to be free now.
 */
export async function reserve(): Promise<ReservedPort> {
  for (let attempt = 1; ; attempt++) {
    const port = reserved.first + Math.floor(Math.random() * reserved.count);
    const guard = createServer();
    const probe = createServer();
    try {
      await listenOn(guard, port, '127.0.0.2').catch((error: unknown) => {
        if (isPortTaken(error)) throw error;
      });
      await listenOn(probe, port);
      await new Promise((resolve) => probe.close(resolve));
      guard.unref();
      return { port, release: () => guard.close() };
    } catch (error) {
      guard.close();
      if (attempt === 50 || !isPortTaken(error)) throw error;
    }
  }
}

function listenOn(server: Server, port: number, host = '127.0.0.1'): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
