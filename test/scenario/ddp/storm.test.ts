import { afterEach, beforeEach, expect, test } from 'vitest';
import { DDPClient } from '../../../src/ddp/index.ts';
import { Cluster } from '../../support/ddp-cluster.ts';
import { seeded } from '../../support/random.ts';
import { World, type FakeSocket } from '../../support/world.ts';

/** Calls without an answer, at any time. */
const IN_FLIGHT = 1_000;
const FAILOVERS = 20;
/** Things are asked and answered in such steps: so many timers are due together, see below. */
const STEP_MS = 50;

let world: World;
beforeEach(() => {
  world = new World();
  oneTimerPerInstant();
});
afterEach(() => world.dispose());

/** vitest's fake clock looks at every timer to find the next one, too long for thousands: what is due together shares one. */
function oneTimerPerInstant(): void {
  const { setTimeout: later, clearTimeout: never } = globalThis;
  interface Instant {
    readonly timer: ReturnType<typeof later>;
    readonly due: Map<object, () => void>;
  }
  const instants = new Map<number, Instant>();
  const set = (fn: () => void, ms = 0) => {
    const at = Math.round(performance.now() + ms);
    if (!instants.has(at)) {
      const due: Instant['due'] = new Map();
      const fire = () => {
        instants.delete(at);
        for (const [timer, call] of due) if (due.delete(timer)) call();
      };
      instants.set(at, { timer: later(fire, at - performance.now()), due });
    }
    const { due } = instants.get(at)!;
    const timer = { at, due };
    due.set(timer, fn);
    return timer;
  };
  const clear = (timer: unknown) => {
    const { at, due } = (timer ?? {}) as Partial<ReturnType<typeof set>>;
    if (!due?.delete(timer as object) || due.size || instants.get(at!)?.due !== due) return;
    never(instants.get(at!)!.timer);
    instants.delete(at!);
  };
  Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
}

test('calls settle once, the server has what it was told, and retry: false never ran twice', async () => {
  const random = seeded(1);
  const cluster = new Cluster(world);
  const methodMs = () => Math.floor(random() * 100) * STEP_MS;
  world.behaviour = (socket) => cluster.node({ methodMs, openAfterMs: 40 + random() * 200 })(socket);
  const ddp = new DDPClient('wss://app.example/websocket', {
    policy: 'fast',
    probe: false,
    callTimeoutMs: Infinity,
    queue: { maxMessages: IN_FLIGHT },
    env: { ...world.env, random },
  });
  const causes: string[] = [];
  ddp.on('failover', ({ cause }) => causes.push(cause));

  /** How each call settled, every time it did. */
  const settled: string[][] = [];
  const mayRunTwice = (n: number) => n % 3 > 0;
  let open = 0;
  let fewest = IN_FLIGHT;
  const topUp = () => {
    while (open < IN_FLIGHT) {
      const how: string[] = [];
      const n = settled.push(how) - 1;
      open += 1;
      const done = (word: string) => {
        how.push(word);
        open -= 1;
      };
      ddp.apply('put', [`doc ${n}`, n], { retry: mayRunTwice(n) }).then(
        () => done('done'),
        ({ kind }: { kind: string }) => done(kind),
      );
    }
  };
  const pass = async (ms: number) => {
    for (const until = world.now + ms; world.now < until;) {
      await world.pass(STEP_MS);
      fewest = Math.min(fewest, open);
      topUp();
    }
  };
  /** A node that is left in peace is still being heard out when the one after it is left, or lost. */
  const faults: readonly [cause: string, happens: (node: FakeSocket) => void][] = [
    ['lost', (node) => node.serverEnds()],
    ['silent', (node) => (node.vanished = true)],
    ['drain', (node) => void cluster.say(node, { msg: 'drain', afterMs: 8_000, spreadMs: 100 })],
    ['manual', () => ddp.reconnect()],
  ];

  topUp();
  await pass(2_000);
  for (let i = 0; i < FAILOVERS; i++) {
    faults[i % faults.length]![1](world.last);
    while (causes.length <= i) await pass(STEP_MS);
    await pass(random() * 1_500);
  }
  for (let i = 0; i < 600 && open > 0; i++) await world.pass(STEP_MS);

  expect(causes).toEqual(Array.from({ length: FAILOVERS }, (_, i) => faults[i % faults.length]![0]));
  expect(fewest).toBeGreaterThan(IN_FLIGHT / 2);
  const runs = settled.map(() => 0);
  for (const run of cluster.ran) runs[Number(/\d+/.exec(run))]! += 1;
  const wrong = settled.flatMap((how, n) => {
    const ran = runs[n]!;
    const right = mayRunTwice(n)
      ? how.join() === 'done' && ran >= 1
      : (how.join() === 'done' && ran === 1) || (how.join() === 'unconfirmed' && ran <= 1);
    return right ? [] : [`${n}: ran ${ran} times, settled: ${how.join()}`];
  });
  expect(wrong).toEqual([]);
  // Not for want of cases.
  expect(settled.filter((how) => how[0] === 'unconfirmed').length).toBeGreaterThan(100);
  expect(runs.filter((ran) => ran > 1).length).toBeGreaterThan(100);
  const expected = runs.flatMap((ran, n) => (ran ? [[`doc ${n}`, { n }]] : []));
  expect(Object.fromEntries(cluster.docs)).toEqual(Object.fromEntries(expected));
  ddp.close();
  await world.pass(10_000);
  expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
}, 60_000);
