import { Connection, type Client } from './connection.ts';
import type { Node } from './node.ts';
import type { World } from './world.ts';

/** Linux sends a SYN again after 1 s, and after twice as long each time. */
const SYN_AGAIN_MS = 1_000;

/** The balancer and the ways behind it: where a new connection goes, and what becomes of it until it has reached a node. */
export class Network {
  readonly #world: World;
  readonly connections: Connection[] = [];
  /** What the balancer believes. */
  readonly #believed: boolean[];
  readonly #falseUntil: number[];

  constructor(world: World) {
    this.#world = world;
    this.#believed = world.nodes.map(() => true);
    this.#falseUntil = world.nodes.map(() => 0);
  }

  /** A node has changed: the health check sees it some time later. */
  changed(): void {
    const { clock, plan } = this.#world;
    if (plan.net.addressing === 'list') return;
    clock.after(plan.net.checkMs, () => this.#check());
  }

  /** The check is wrong about a node for so long. */
  misjudge(node: number, ms: number): void {
    const { clock } = this.#world;
    this.#falseUntil[node] = clock.now + ms;
    this.#believed[node] = false;
    clock.after(ms + 1, () => this.#check());
  }

  #check(): void {
    const { clock, nodes, plan } = this.#world;
    nodes.forEach((node, i) => {
      if (clock.now > this.#falseUntil[i]!) this.#believed[i] = node.healthy(plan.net.checkSees);
    });
  }

  heal(): void {
    this.#falseUntil.fill(0);
    this.#believed.fill(true);
  }

  /** By name, or whatever the 5-tuple's hash says among the nodes that are believed well; among all if none is. */
  route(host: string, tuple: number): Node {
    const { nodes, plan } = this.#world;
    if (plan.net.addressing === 'list') return nodes.find(({ name }) => host.startsWith(name))!;
    const well = nodes.filter((_, i) => this.#believed[i]);
    const among = well.length > 0 ? well : nodes;
    return among[Math.floor(tuple * among.length)]!;
  }

  /** SYN, TLS, upgrade. `reached` when there is a connection at all. Returns the way to give up before that. */
  dial(host: string, client: Client, reached: (connection: Connection) => void): () => void {
    const world = this.#world;
    const tuple = world.tuples();
    let over = false;
    const knock = (tries: number) => {
      if (over) return;
      const node = this.route(host, tuple);
      if (node.hole || world.tabs[client.tab]!.cutOff) {
        world.clock.after(SYN_AGAIN_MS * 2 ** tries, () => knock(tries + 1));
      } else if (node.off) {
        world.clock.after(world.latency(), () => over || client.ended(1006, '', false));
      } else {
        const connection = new Connection(world, this.connections.length, client, node);
        this.connections.push(connection);
        reached(connection);
        // TLS 1.3: another round trip before the upgrade can leave.
        world.clock.after(world.rttMs * 2, () => {
          connection.established = true;
          connection.send(() => node.upgrade(connection));
        });
      }
    };
    world.clock.after(world.latency(), () => knock(0));
    return () => (over = true);
  }
}
