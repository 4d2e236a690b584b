import { createServer, type Server } from 'node:net';

/**
 * Below Linux's ephemeral range (32768 and up): a port from within it could be taken by any outgoing connection between a
 * node's stop and its restart.
 */
const range = { first: 20_000, count: 10_000 };

/** For servers that come and go. */
const reserved = { first: 30_000, count: 2_000 };

/** A random port for a cluster to try; even, so that the next one can be its sibling's. */
export const candidatePort = (): number => range.first + 2 * Math.floor((Math.random() * range.count) / 2);

export const isPortTaken = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'EADDRINUSE';

/**
 * Listens on 127.0.0.1.
 *
 * @param port 0 for any free one
 * @returns the port
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
 * A port of 127.0.0.1 that no other cluster takes while nobody listens on it, as long as this process lives and does not release
 * it: what is held is the same port of 127.0.0.2. Where that address does not exist the port is merely free at present.
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
