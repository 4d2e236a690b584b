import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ApplyOptions } from '../../../src/ddp/index.ts';
import { seeded } from '../../support/random.ts';
import {
  added,
  connected,
  ready,
  result,
  tooEarly,
  updated,
  world,
  type Old,
  type World,
} from '../../support/ddp-harness.ts';

// Stories drawn from a seed: whatever happens, in whatever order, what the client promises holds. Hundreds of them take seconds
// of computing, and several times as long beside other work.
vi.setConfig({ testTimeout: 60_000 });
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Message = Record<string, unknown>;
interface Dice {
  /** Yes, with this probability. */
  chance(probability: number): boolean;
  below(n: number): number;
  one<T>(list: readonly T[]): T;
}

/** Plays one story per seed; each ends with a client that is closed, and owes nothing. */
async function play(
  seeds: number,
  story: (dice: Dice, problems: Set<string>) => Promise<World>,
): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = seeded(seed);
    const below = (n: number) => Math.floor(random() * n);
    const problems = new Set<string>();
    const dice: Dice = { below, chance: (p) => random() < p, one: (list) => list[below(list.length)]! };
    const { ddp, link, reported } = await story(dice, problems);
    ddp.close();
    await settle();
    expect(
      [...problems, ...[...link.thrown, ...reported].map(String), vi.getTimerCount()],
      `seed ${seed}: problems, timers left`,
    ).toEqual([0]);
  }
}

/** What may happen, and how often. */
type Happenings = readonly (readonly [share: number, happen: () => unknown])[];
function lots(dice: Dice, happenings: Happenings): () => unknown {
  const all = happenings.flatMap(([share, happen]) => Array<() => unknown>(share).fill(happen));
  return () => dice.one(all)();
}

/** Lets promises go on. */
const settle = async () => {
  for (let i = 0; i < 6; i++) await Promise.resolve();
};
const isMethod = ({ msg }: Message) => msg === 'method';

/** A call, and what became of it. */
interface Call extends ApplyOptions {
  readonly name: string;
  readonly controller: AbortController;
  ends: number;
}
function makeCall({ ddp }: World, calls: Call[], options: ApplyOptions): void {
  const controller = new AbortController();
  const call: Call = { ...options, name: `m${calls.length}`, controller, ends: 0 };
  calls.push(call);
  const ended = () => void (call.ends += 1);
  ddp.apply(call.name, [], { ...options, signal: controller.signal }).then(ended, ended);
}
const unsettled = (calls: readonly Call[]) => calls.filter(({ ends }) => ends !== 1).map(({ name }) => name);

describe('a cluster', () => {
  /** What all nodes know. They say their documents in one order, or in none. */
  class Cluster {
    readonly versions = new Map([...'abc'].map((id) => [id, 1]));
    order = [...this.versions.keys()];
    readonly nodes: Node[] = [];
    /** Calls in the order in which they ran. */
    readonly ran: string[] = [];

    constructor(
      readonly dice: Dice,
      readonly ordered: boolean,
      readonly patient: boolean,
    ) {}

    /** Something becomes of some document. */
    write(): void {
      const { dice, ordered, versions } = this;
      const id = dice.one([...'abcdefgh']);
      const others = this.order.filter((other) => other !== id);
      const before = ordered ? dice.one([...others, null]) : null;
      const place = () => others.splice(before === null ? others.length : others.indexOf(before), 0, id);
      const how = dice.below(4);
      if (!versions.has(id)) {
        place();
        versions.set(id, dice.below(3));
        this.#tell(this.added(id, before));
      } else if (how === 0) {
        versions.delete(id);
        this.#tell({ msg: 'removed', id });
      } else if (how === 1 && ordered) {
        place();
        this.#tell({ msg: 'movedBefore', id, before });
      } else {
        versions.set(id, dice.below(3));
        this.#tell({ msg: 'changed', id, fields: { version: versions.get(id) } });
        return;
      }
      this.order = others;
    }

    added(id: string, before: string | null): Message {
      const fields = { version: this.versions.get(id) };
      return this.ordered ? { msg: 'addedBefore', id, fields, before } : { msg: 'added', id, fields };
    }

    #tell(message: Message): void {
      for (const node of this.nodes) if (node.published) node.say({ collection: 'c', ...message });
    }

    documents(): string[] {
      return this.order.map((id) => `${id}${this.versions.get(id)}`);
    }
  }

  /** One connection to it: what has not been heard yet, in both directions. */
  class Node {
    readonly inbox: Message[] = [];
    readonly outbox: Message[] = [];
    /** Calls it was sent, those that it would not hear left out. */
    readonly sent: Message[] = [];
    published = false;
    #connected = false;

    constructor(readonly cluster: Cluster) {
      cluster.nodes.push(this);
    }

    say(message: Message): void {
      this.outbox.push(message);
    }

    send(message: Message): void {
      this.inbox.push(message);
      if (isMethod(message)) this.sent.push(message);
    }

    /** Takes the next message. */
    work(): boolean {
      const message = this.inbox.shift();
      if (!message) return false;
      const { msg, id } = message;
      if (msg === 'connect' && this.cluster.patient)
        // Some of what follows comes too early.
        this.inbox.splice(this.cluster.dice.below(this.inbox.length + 1), 0, { msg: 'take on' });
      else if (msg === 'connect' || msg === 'take on') {
        this.#connected = true;
        this.say(connected);
      } else if (!this.#connected) {
        this.say(tooEarly(id, msg));
        if (isMethod(message)) this.sent.splice(this.sent.indexOf(message), 1);
      } else if (msg === 'sub') {
        if (!this.published)
          for (const one of this.cluster.order)
            this.say({ collection: 'c', ...this.cluster.added(one, null) });
        this.published = true;
        this.say(ready(id as string));
      } else if (msg === 'unsub') this.say({ msg: 'nosub', id });
      else if (isMethod(message)) {
        this.cluster.ran.push(message.method as string);
        this.cluster.write();
        this.say(result(id as string, message.method));
        this.say(updated(id as string));
      }
      return true;
    }
  }

  const story = async (dice: Dice, problems: Set<string>): Promise<World> => {
    const cluster = new Cluster(dice, dice.chance(0.5), dice.chance(0.4));
    const all = world({ quiescenceTimeoutMs: 1_000 });
    const { ddp, link } = all;
    const calls: Call[] = [];
    const subs: { stop(): void }[] = [];
    let current: Node | undefined;
    let left: { node: Node; old: Old } | undefined;
    let suspect = false;

    // What the events tell is at any time what there is.
    const seen = new Map<unknown, unknown>();
    ddp.collection<{ _id: string; version?: unknown }>('c').observe({
      added: (doc) => {
        if (seen.has(doc._id)) problems.add(`added twice: ${doc._id}`);
        seen.set(doc._id, doc);
      },
      changed: (doc, previous) => {
        if (doc.version === previous.version) problems.add(`changed, and the same: ${doc._id}`);
        if (seen.get(doc._id) !== previous) problems.add(`changed from something else: ${doc._id}`);
        seen.set(doc._id, doc);
      },
      removed: ({ _id }) => {
        if (!seen.delete(_id)) problems.add(`removed twice: ${_id}`);
      },
    });

    const send = () => {
      for (const frame of link.frames.splice(0)) current?.send(frame);
    };
    const leftEnds = () => {
      const { old } = left ?? {};
      left = undefined;
      old?.ends();
      send();
    };
    const open = async () => {
      current = new Node(cluster);
      suspect = false;
      await link.open();
      send();
    };
    const recover = () => {
      if (!suspect) return;
      suspect = false;
      link.recover();
    };
    const hear = (node: Node | undefined): boolean => {
      const message = node?.outbox.shift();
      if (!message) return false;
      if (node === left?.node) left?.old.says(message);
      else {
        recover();
        link.receive(message);
      }
      send();
      return true;
    };
    const either = () => (left && dice.chance(0.5) ? left.node : current);
    const move = async () => {
      if (!current || suspect) return open();
      const node = current;
      const old = await link.move(leftEnds);
      current = new Node(cluster);
      left = { node, old };
      send();
      void old.done.then(() => {
        if (left?.old === old) leftEnds();
      });
    };
    const crash = () => {
      if (!current) return;
      current = undefined;
      suspect = false;
      link.down();
      leftEnds();
    };
    const hang = () => {
      if (!current || suspect) return;
      suspect = true;
      link.suspect();
    };
    const call = () =>
      makeCall(all, calls, {
        retry: dice.chance(0.7),
        wait: dice.chance(0.2),
        ...(dice.chance(0.2) && { timeoutMs: 1 + dice.below(300) }),
      });
    const happenings: Happenings = [
      [20, call],
      [3, () => calls.length && dice.one(calls).controller.abort()],
      [5, () => subs.push(ddp.subscribe('other', dice.below(2)))],
      [4, () => subs.splice(dice.below(subs.length), 1)[0]?.stop()],
      [10, () => cluster.write()],
      [18, () => either()?.work()],
      [20, () => hear(either())],
      [4, crash],
      [6, move],
      [2, hang],
      [3, leftEnds],
      [3, () => vi.advanceTimersByTimeAsync(dice.below(400))],
    ];
    const next = lots(dice, happenings);

    ddp.subscribe('all');
    await open();
    for (let step = 0; step < 120; step++) {
      await next();
      send();
      await settle();
      const there = ddp.collection('c').find();
      if (seen.size !== there.length || there.some((doc) => seen.get(doc._id) !== doc))
        problems.add(`step ${step}: events and documents differ`);
    }

    // Then nothing happens any more, and everything arrives.
    recover();
    if (!current) await open();
    for (let busy = true; busy; await settle()) {
      send();
      busy = [current, left?.node]
        .map((node) => node && [node.work(), hear(node)])
        .flat()
        .includes(true);
    }
    const documents = ddp
      .collection('c')
      .find()
      .map(({ _id, version }) => `${_id}${String(version)}`);
    const sorted = (list: string[]) => (cluster.ordered ? list : list.sort()).join();
    if (sorted(documents) !== sorted(cluster.documents()))
      problems.add(`documents ${documents.join()}, the server's ${cluster.documents().join()}`);
    for (const name of unsettled(calls)) problems.add(`${name} did not settle`);
    const ofAll = cluster.nodes.flatMap(({ sent }) => sent.map(({ method }) => method));
    for (const { name, retry } of calls)
      if (!retry && ofAll.filter((method) => method === name).length > 1) problems.add(`${name} sent twice`);
    if (!cluster.patient) {
      // Also of those that ran twice, the first time.
      const orders = [cluster.ran, ...cluster.nodes.map(({ sent }) => sent.map(({ method }) => method))];
      for (const order of orders) {
        const numbers = [...new Set(order)].map((method) => Number(String(method).slice(1)));
        if (numbers.some((number, i) => number < numbers[i - 1]!)) problems.add(`order ${numbers.join()}`);
      }
    }
    return all;
  };

  it('that crashes, hangs and moves: the documents are its documents, calls settle, in order, none that must not runs twice', () =>
    play(300, story));
});

describe('calls that wait', () => {
  const story = async (dice: Dice, problems: Set<string>): Promise<World> => {
    const all = world();
    const { link } = all;
    await link.connect();
    const calls: Call[] = [];
    /** Calls that the current connection has to answer. */
    let open: string[] = [];
    let left: { old: Old; open: string[] } | undefined;

    /** Looks at what has been sent. */
    const watch = async () => {
      const frames = link.frames.splice(0).filter(isMethod);
      open.push(...frames.map(({ id }) => id as string));
      await settle();
      for (const { method } of frames) {
        const at = calls.findIndex(({ name }) => name === method);
        const call = calls[at]!;
        const inTheWay = calls.slice(0, at).filter(({ ends, wait }) => !ends && (wait || call.wait));
        if (!call.ends)
          for (const { name } of inTheWay) problems.add(`${call.name} was sent before ${name} had settled`);
      }
    };
    const leftEnds = async () => {
      left?.old.ends();
      left = undefined;
      await watch();
    };
    const answer = () => {
      const late = dice.chance(0.6) && left?.open.shift();
      if (late) return left!.old.says(result(late), updated(late));
      const id = open.shift();
      if (id === undefined) return;
      link.receive(result(id));
      if (dice.chance(0.9)) link.receive(updated(id));
    };
    const crash = async () => {
      link.down();
      await leftEnds();
      open = [];
      await link.connect();
    };
    const move = async () => {
      await leftEnds();
      const asked = open;
      open = [];
      left = { old: await link.move(), open: asked };
      link.receive(connected);
    };
    const hesitate = () => {
      link.suspect();
      link.recover();
    };
    const happenings: Happenings = [
      [35, () => makeCall(all, calls, { retry: dice.chance(0.7), wait: dice.chance(0.3) })],
      [10, () => calls.length && dice.one(calls).controller.abort()],
      [30, answer],
      [7, crash],
      [10, move],
      [4, leftEnds],
      [4, hesitate],
    ];
    const next = lots(dice, happenings);
    for (let step = 0; step < 60; step++) {
      await next();
      await watch();
    }
    await leftEnds();
    await crash();
    await watch();
    for (let id = open.shift(); id !== undefined; id = open.shift()) {
      link.receive(result(id), updated(id));
      await watch();
    }
    for (const name of unsettled(calls)) problems.add(`${name} did not settle`);
    return all;
  };

  it('are alone whenever they are sent, and all settle', () => play(200, story));
});

describe('a hostile server', () => {
  const VALUES: readonly unknown[] = [
    ...[null, undefined, true, 1, '', '1', '2', '3', '-', '~', '~{', '~[1]', '~"x"', '~1', 'connected'],
    ...['__proto__', 'constructor', JSON.parse('{"__proto__":{"polluted":1}}')],
    ...[[], {}, ['1', '2', '3'], [null], { error: {} }, { id: '1', msg: 'sub' }, { id: '2', msg: 'method' }],
    ...[{ id: ['1'] }, { $date: 'x' }, { $type: 'none', $value: 1 }, { $escape: 1 }, { $binary: '%%' }],
  ];
  const KINDS: readonly unknown[] = [
    ...['added', 'changed', 'removed', 'addedBefore', 'movedBefore', 'ready', 'updated', 'result', 'nosub'],
    ...['ping', 'pong', 'connected', 'error', 'node', 'drain', 'novel', undefined, 7],
  ];
  const FRAMES = [
    ...['', '{', '[]', '"x"', 'null'],
    `{"msg":"added","collection":"c","id":"1","fields":${'{"a":'.repeat(500)}1${'}'.repeat(501)}`,
  ];

  const message = (dice: Dice): Message => {
    const value = () => dice.one(VALUES);
    const id = () => String(dice.below(6));
    const ids = () => ['1', '2', '3', '4'];
    const sound: Record<string, () => unknown> = {
      ...{ collection: id, id, before: id, error: id, result: id, version: id, reason: id },
      ...{ offendingMessage: id, server_id: id, subs: ids, methods: ids },
      fields: () => ({ a: value() }),
      cleared: () => ['a', '__proto__'],
    };
    const fields = Object.entries(sound).filter(() => dice.chance(0.6));
    return {
      msg: dice.one(KINDS),
      ...Object.fromEntries(fields.map(([name, make]) => [name, dice.chance(0.5) ? value() : make()])),
    };
  };

  const story = async (dice: Dice, problems: Set<string>): Promise<World> => {
    const all = world({ quiescenceTimeoutMs: 50 });
    const { ddp, link } = all;
    const calls: Call[] = [];
    const subs = [ddp.subscribe('a'), ddp.subscribe('a'), ddp.subscribe('b', () => 1)];
    for (const options of [{}, { retry: false }, { wait: true }]) makeCall(all, calls, options);
    void ddp.collection('c')[Symbol.asyncIterator]().next();
    ddp.collection('1').subscribe(() => {});
    await link.open();
    let old: Old | undefined;
    const oldEnds = () => {
      old?.ends();
      old = undefined;
    };
    for (let step = 0; step < 40; step++) {
      if (old && dice.chance(0.3)) old.says(message(dice));
      else link.receive(dice.chance(0.03) ? dice.one(FRAMES) : message(dice));
      if (dice.chance(0.05)) {
        link.down();
        oldEnds();
        await link.open();
      }
      if (dice.chance(0.05)) {
        oldEnds();
        old = await link.move();
      }
      if (dice.chance(0.05)) await vi.advanceTimersByTimeAsync(60);
      if (dice.chance(0.03)) dice.one(subs).stop();
    }
    oldEnds();
    if ('polluted' in {}) problems.add('polluted');

    // A sound server follows.
    link.down();
    await link.open();
    link.receive(connected);
    makeCall(all, calls, {});
    for (let round = 0; round < 12; round++) {
      for (const { msg, id } of link.frames.splice(0) as { msg: string; id: string }[])
        if (msg === 'sub') link.receive(ready(id));
        else if (msg === 'method') link.receive(result(id), updated(id));
      await settle();
    }
    for (const name of unsettled(calls)) problems.add(`${name} did not settle`);
    link.receive(added('x', {}, 'sound'));
    if (!ddp.collection('sound').get('x')) problems.add('a document is not shown');
    return all;
  };

  it('throws nothing out of its place, pollutes nothing, and leaves a client that works', () =>
    play(200, story));
});
