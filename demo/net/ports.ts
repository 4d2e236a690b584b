import type { Server } from 'node:net';

/**
 * Below Linux's ephemeral range (32768 and up): a port from within it could be taken by any outgoing connection between a
 * node's stop and its restart.
 */
const range = { first: 20_000, count: 10_000 };

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

function listenOn(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
