import type { Connection, Session } from '../world/connection.ts';
import type { App } from '../world/node.ts';
import type { World } from '../world/world.ts';

/** Published to whoever has subscribed to something. */
const PUBLISH_MS = 400;

/** A plain server: `hello <token>`, `ping`, `k <key> <value>` subscribes, `s <number>` is taken note of and echoed. */
export class PlainServer implements App {
  constructor(
    readonly world: World,
    readonly name: string,
  ) {}

  accept(connection: Connection): PlainSession {
    return new PlainSession(this.world, this.name, connection);
  }
}

export class PlainSession implements Session {
  readonly keys = new Map<string, string>();
  #welcome: boolean;
  #over = false;
  #said = 0;
  #last = 0;

  constructor(
    readonly world: World,
    name: string,
    readonly connection: Connection,
  ) {
    const { link, server } = world.plan;
    this.#welcome = !link.login;
    this.#say(`{"msg":"node","id":"${name}","spreadMs":${server.spreadMs}}`);
    if (server.speaksMs) this.#every(server.speaksMs, () => this.#say('tick'));
    this.#every(PUBLISH_MS, () => this.keys.size > 0 && this.#publish('news'));
  }

  #every(ms: number, run: () => void): void {
    this.world.clock.after(ms, () => {
      if (this.#over || this.connection.over) return;
      if (!this.connection.node.hung) run();
      this.#every(ms, run);
    });
  }

  #say(text: string): void {
    this.connection.say(text);
  }

  /** Numbered, so that the app can tell which connection it is from, and that none is missing. */
  #publish(text: string): void {
    this.connection.say(`m ${this.connection.id} ${this.#said++} ${text}`);
  }

  receive(frame: string): void {
    const { client } = this.connection;
    const [what, first = '', second = ''] = frame.split(' ');
    if (what === 'hello') {
      this.#welcome = Number(first) >= this.world.goodToken;
      return this.#say(this.#welcome ? 'welcome' : 'denied');
    }
    if (!this.#welcome)
      return this.world.violated(
        'handshake-first',
        `tab ${client.tab} says "${frame}" before its handshake is through`,
      );
    if (what === 'ping') return this.#say('pong');
    if (what === 'k') return void this.keys.set(first, second);
    if (what === 'g') return;
    const number = Number(first);
    const arrived = this.world.arrived[client.tab]!;
    if (arrived.has(number)) this.world.violated('order', `tab ${client.tab}: ${number} arrived twice`);
    if (number <= this.#last)
      this.world.violated('order', `tab ${client.tab}: ${number} arrived after ${this.#last}`);
    this.#last = number;
    arrived.add(number);
    this.#publish(`echo ${number}`);
  }

  closed(): void {
    this.#over = true;
  }
}
