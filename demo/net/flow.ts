import { connect, type Socket } from 'node:net';
import { DelayLine } from './delay-line.ts';

/** The sender pauses above this many bytes on a line, and resumes at half of it. Larger than any window the demo needs. */
const highWater = 1024 * 1024;

export interface FlowOptions {
  /** Where the flow goes: the port of the node's gateway. */
  port: number;
  /** Returns the current round-trip time in ms; called for each chunk. */
  rtt: () => number;
  /** True when the node is black-holed at the start of the flow. */
  frozen: boolean;
  /** Called when the client's side has ended, more than once. */
  onClientGone: () => void;
  /** Called when both sockets are closed. */
  onClosed: () => void;
}

/**
 * One TCP connection through the balancer. Bytes, FIN and RST travel with the same delay. This machine's kernel has already
 * answered the client's SYN, so the flow adds the round trip of the handshake: the SYN reaches the node after half a round
 * trip, and the client's data leaves no earlier than a SYN-ACK could have reached it.
 */
export class Flow {
  readonly #up: DelayLine;
  readonly #down: DelayLine;
  #upstream: Socket | undefined;
  #open = 1;

  constructor(client: Socket, options: FlowOptions) {
    const { rtt } = options;
    const established = performance.now() + rtt();
    const firstAnswerAt = performance.now() + 1.5 * rtt();
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

    // The SYN. In a black hole it waits until the network heals, as its retransmissions would.
    this.#up.push(rtt() / 2, 0, () => {
      const upstream = connect({ port: options.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
      this.#upstream = upstream;
      this.#open++;
      this.#join(upstream, this.#down, this.#up, () => client, rtt, firstAnswerAt);
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

  /** A frozen flow delivers nothing in either direction, no FIN and no RST. When it thaws, it delivers what it kept. */
  set frozen(frozen: boolean) {
    this.#up.frozen = frozen;
    this.#down.frozen = frozen;
  }

  /** Carries what `from` sends over the line `out` to the other side. `into` is the line that ends at `from`. */
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
    // No receiver is left. Blocked data must not hold back a FIN or RST behind it.
    from.on('close', () => (into.blocked = false));
  }
}
