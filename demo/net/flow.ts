import { connect, type Socket } from 'node:net';
import { DelayLine } from './delay-line.ts';

/** Above this much data under way the sender is paused; it goes on at half of it. Larger than any window the demo needs. */
const highWater = 1024 * 1024;

export interface FlowOptions {
  /** Where the flow goes: the port of the node's gateway. */
  port: number;
  /** The current round-trip time in ms; asked for each chunk. */
  rtt: () => number;
  /** Whether the node is in a black hole when the flow begins. */
  frozen: boolean;
  /** The client's side has ended. */
  onClientGone: () => void;
  /** Both sides are gone. */
  onClosed: () => void;
}

/**
 * One TCP connection through the balancer. Bytes, FIN and RST travel with the same delay. The client's kernel has been
 * answered by ours already, so the round trip of the real handshake is made up for here: the SYN arrives after half a round
 * trip, and what the client sends before a SYN-ACK could have reached it waits until then.
 */
export class Flow {
  readonly #up: DelayLine;
  readonly #down: DelayLine;
  #upstream: Socket | undefined;
  #open = 1;

  constructor(client: Socket, options: FlowOptions) {
    const { rtt } = options;
    const established = performance.now() + rtt();
    const heard = performance.now() + 1.5 * rtt();
    this.#up = new DelayLine((bytes) => bytes < highWater / 2 && client.resume());
    this.#down = new DelayLine((bytes) => bytes < highWater / 2 && this.#upstream?.resume());
    if (options.frozen) this.frozen = true;

    const closed = (): void => {
      if (--this.#open === 0) {
        this.#up.clear();
        this.#down.clear();
        options.onClosed();
      }
    };

    // The SYN. In a black hole it waits, as retransmitted ones do.
    this.#up.push(rtt() / 2, 0, () => {
      const upstream = connect({ port: options.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
      this.#upstream = upstream;
      this.#open++;
      this.#join(upstream, this.#down, this.#up, () => client, rtt, heard);
      upstream.on('close', closed);
    });

    client.setNoDelay(true);
    this.#join(client, this.#up, this.#down, () => this.#upstream, rtt, established);
    client.once('end', options.onClientGone);
    client.on('close', () => {
      options.onClientGone();
      closed();
    });
  }

  /** In a black hole nothing leaves in either direction, no FIN and no RST; healed, what was kept is delivered. */
  set frozen(frozen: boolean) {
    this.#up.frozen = frozen;
    this.#down.frozen = frozen;
  }

  /** Carries what `from` sends over `out` to the other side; `into` is the line that ends at `from`. */
  #join(
    from: Socket,
    out: DelayLine,
    into: DelayLine,
    other: () => Socket | undefined,
    rtt: () => number,
    notBefore: number,
  ): void {
    const toOther = (bytes: number, deliver: (to: Socket) => void): void =>
      out.push(
        rtt() / 2,
        bytes,
        () => {
          const to = other();
          if (to && !to.destroyed) deliver(to);
        },
        notBefore,
      );
    from.on('data', (chunk) => {
      toOther(chunk.length, (to) => {
        if (!to.write(chunk)) out.blocked = true;
      });
      if (out.bytes > highWater) from.pause();
    });
    from.on('end', () => toOther(0, (to) => to.end()));
    from.on('error', () => toOther(0, (to) => to.resetAndDestroy()));
    from.on('drain', () => (into.blocked = false));
    // Nobody is left to receive it; and what was blocked must not keep a FIN or RST behind it.
    from.on('close', () => (into.blocked = false));
  }
}
