import type { Node } from './node.ts';
import { Pipe } from './pipe.ts';
import type { World } from './world.ts';

/** The browser's end. */
export interface Client {
  readonly tab: number;
  opened(): void;
  message(frame: string): void;
  ended(code: number, reason: string, wasClean: boolean): void;
}

/** The app's end on a node. */
export interface Session {
  receive(frame: string): void;
  /** The connection has ended, whoever ended it. */
  closed(): void;
}

/** One TCP connection from a browser to a node, with the WebSocket on it. */
export class Connection {
  readonly up: Pipe;
  readonly down: Pipe;
  session: Session | undefined;
  /** The TCP handshake is through. */
  established = false;
  /** The browser has given it up while its handshake hung. */
  abandoned = false;
  /** The app never hears or says anything on it (again). */
  mute = false;
  /** What the node would still say goes nowhere. */
  over = false;
  /** The flow is known to nobody on the way any more: what the client sends is answered by a reset, or not at all. */
  forgotten: 'resets' | 'silent' | undefined;

  constructor(
    readonly world: World,
    readonly id: number,
    readonly client: Client,
    readonly node: Node,
  ) {
    const latency = () => world.latency();
    this.up = new Pipe(world.clock, latency);
    this.down = new Pipe(world.clock, latency);
    node.paths.push(this);
    if (node.hole) this.stall(Infinity);
  }

  /** From the client to the node. */
  send(arrive: () => void): void {
    if (this.forgotten === 'resets') {
      this.world.clock.after(this.world.rttMs, () => this.#reset());
    } else if (!this.forgotten) this.up.push(arrive);
  }

  frame(text: string): void {
    this.send(() => {
      if (this.mute) return;
      if (this.node.hung) this.node.backlog.push(() => this.session?.receive(text));
      else this.session?.receive(text);
    });
  }

  /** From the node to the client. */
  say(text: string): void {
    if (!this.over && !this.mute) this.down.push(() => this.client.message(text));
  }

  /** The node ends it: with a close frame, or (1006) without. */
  end(code: number, reason = ''): void {
    if (this.over) return;
    this.#leave();
    this.down.push(() => this.client.ended(code, reason, code !== 1006));
  }

  /** The client asks for an orderly end. */
  close(code: number, reason: string): void {
    this.send(() => {
      const answer = () => this.end(code, reason);
      if (this.node.hung) this.node.backlog.push(answer);
      else answer();
    });
  }

  /** The client is gone without a word that would reach its app: a page that was left, a handshake that was abandoned. */
  drop(): void {
    this.abandoned = true;
    this.down.cut();
    this.send(() => this.#leave());
  }

  /** The flow is gone from the way: nothing that is under way arrives. */
  forget(how: 'resets' | 'silent'): void {
    this.forgotten = how;
    this.up.cut();
    this.down.cut();
    this.#leave();
  }

  stall(until: number, way: 'up' | 'down' | 'both' = 'both'): void {
    if (way !== 'down') this.up.stall(until);
    if (way !== 'up') this.down.stall(until);
  }

  release(): void {
    this.up.release();
    this.down.release();
  }

  #reset(): void {
    this.client.ended(1006, '', false);
  }

  #leave(): void {
    if (this.over) return;
    this.over = true;
    this.node.connections.delete(this);
    this.session?.closed();
  }
}
