import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LEAK_MS } from '../../src/core/env/engines.ts';
import type { FailoverWebSocket } from '../../src/core/facade/failover-websocket.ts';
import { POLICIES, type PolicyName } from '../../src/core/api/reconnect-policy.ts';
import { FakeSocket, hangs, heartbeat, ONE_WAY, pong, refuses, World } from '../support/world.ts';

// Whatever happens to nodes, network and page, in any order: what a link promises holds, and when all is well again it is up.

const FIREFOX = 'Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0';
const CHROME = 'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';
const NODES = ['a', 'b', 'c'] as const;
type Health = 'up' | 'refuses' | 'hole' | 'mute';

const node = fc.nat({ max: NODES.length - 1 });
const tab = fc.nat({ max: 2 });
const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('health' as const),
      node,
      health: fc.constantFrom<Health>('refuses', 'hole', 'mute'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('health' as const), node, health: fc.constant<Health>('up') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('drain' as const), node, spreadMs: fc.constantFrom(0, 3_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('stall' as const),
      node,
      ms: fc.constantFrom(0, 300, 900, 4_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      node,
      code: fc.constantFrom(1001, 1006, 1012, 1013),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('network' as const), on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('page' as const),
      event: fc.constantFrom('hide' as const, 'resume' as const, 'visible' as const, 'active' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('sleep' as const), ms: fc.constantFrom(2_000, 60_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reconnect' as const), tab }) },
);
const schedule = fc.record({
  userAgent: fc.constantFrom('', CHROME, FIREFOX),
  policy: fc.constantFrom<PolicyName>('fast', 'balanced', 'frugal'),
  tabs: fc.integer({ min: 1, max: 3 }),
  standby: fc.constantFrom('off' as const, 'warm' as const),
  hedge: fc.boolean(),
  login: fc.boolean(),
  /** An address per node, or one of a balancer that takes whichever it likes. */
  list: fc.boolean(),
  balance: fc.array(node, { minLength: 4, maxLength: 12 }),
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  happenings: fc.array(fc.tuple(fc.integer({ min: 0, max: 6_000 }), happening), {
    minLength: 1,
    maxLength: 14,
  }),
});
type Schedule = typeof schedule extends fc.Arbitrary<infer T> ? T : never;

/** A server's view of one socket. */
interface Seen {
  readonly socket: FakeSocket;
  readonly host: string;
  readonly node: number;
  readonly tab: number;
  readonly dialledAt: number;
  said: number;
  busyUntil: number;
}

class Stage {
  readonly world = new World();
  readonly health: Health[] = NODES.map(() => 'up');
  readonly stalls = NODES.map(() => 0);
  readonly seen: Seen[] = [];
  readonly links: FailoverWebSocket[] = [];
  /** What the app of each tab heard: which socket, which of its frames. */
  readonly heard: [socket: number, frame: number][][] = [];
  /** What each tab's app sent, as it arrived anywhere. */
  readonly arrived: number[][] = [];
  readonly leaks = new Map<string, number[]>();
  reconnects = 0;
  #dials = 0;
  #sent = 0;

  constructor(readonly plan: Schedule) {
    const { world } = this;
    world.userAgent = plan.userAgent;
    world.random = plan.random;
    for (let i = 0; i < plan.tabs; i++) this.#open(i);
  }

  #open(tab: number): void {
    const { world, plan } = this;
    const heard: [number, number][] = [];
    const arrived: number[] = [];
    this.heard.push(heard);
    this.arrived.push(arrived);
    const dial = (url: string) => this.#dial(url, tab);
    const ws = world.link(
      {
        policy: plan.policy,
        hedge: plan.hedge,
        standby: plan.standby,
        heartbeat: { ...heartbeat, required: true },
        serverNotices: true,
        probe: false,
        ...(plan.login && {
          handshake: async (send, receive) => {
            send('login');
            while ((await receive()) !== 'welcome');
          },
        }),
        env: {
          WebSocket: function (this: unknown, url: string) {
            return dial(url);
          } as never,
        },
      },
      plan.list ? NODES.map((name) => `wss://${name}.example/`) : 'wss://app.example/',
    );
    ws.addEventListener('message', ({ data }) => {
      const [, socket, frame] = /^(\d+) (\d+)$/.exec(String(data)) ?? [];
      if (socket !== undefined) heard.push([Number(socket), Number(frame)]);
    });
    this.links.push(ws);
  }

  #dial(url: string, tab: number): FakeSocket {
    const { world, plan } = this;
    const host = new URL(url).hostname;
    const at = plan.list ? NODES.indexOf(host[0] as 'a') : plan.balance[this.#dials++ % plan.balance.length]!;
    const index = this.seen.length;
    const health = this.health[at]!;
    const leak = () => this.leaks.set(host, [...(this.leaks.get(host) ?? []), world.now]);
    world.behaviour = (socket) => {
      const mine: Seen = { socket, host, node: at, tab, dialledAt: world.now, said: 0, busyUntil: 0 };
      this.seen.push(mine);
      // TCP keeps order: what is held up holds up what comes after it.
      const say = socket.serverSends.bind(socket);
      socket.serverSends = (data, afterMs = ONE_WAY) => {
        mine.busyUntil = Math.max(world.now + afterMs + this.stalls[at]!, mine.busyUntil);
        say(data, mine.busyUntil - world.now);
      };
      socket.reply = (frame) => {
        const [, number] = /^s (\d+)$/.exec(String(frame)) ?? [];
        if (number !== undefined) this.arrived[tab]!.push(Number(number));
        if (this.health[at] === 'mute') return undefined;
        return frame === 'login' ? 'welcome' : pong(frame);
      };
      if (health === 'refuses') refuses()(socket);
      else if (health === 'hole') {
        hangs()(socket);
        // Firefox gives up after 20 s, and leaks the connection then or when script does.
        const timer = setTimeout(() => (leak(), socket.serverEnds()), 20_000);
        const close = socket.close.bind(socket);
        socket.close = (...how) => {
          if (socket.readyState === 0) leak();
          clearTimeout(timer);
          close(...how);
        };
      } else {
        setTimeout(() => {
          socket.serverOpens();
          if (health === 'up') socket.serverSends(`{"msg":"node","id":"${NODES[at]}","spreadMs":0}`, 0);
        }, 80);
      }
    };
    const pending = this.seen.filter(
      (one) => one.tab === tab && one.host === host && one.socket.readyState === 0,
    );
    expect(pending.length, `handshakes of tab ${tab} to ${host}, dial ${index}`).toBe(0);
    return new FakeSocket(world, url);
  }

  #on(at: number): Seen[] {
    return this.seen.filter((one) => one.node === at && one.socket.readyState === 1);
  }

  happen(what: Schedule['happenings'][number][1]): void {
    const { world } = this;
    switch (what.do) {
      case 'health':
        this.health[what.node] = what.health;
        for (const { socket } of this.#on(what.node)) {
          if (what.health === 'refuses') socket.serverEnds();
          if (what.health === 'hole') socket.vanished = true;
        }
        break;
      case 'drain':
        for (const { socket } of this.#on(what.node))
          socket.serverSends(`{"msg":"drain","afterMs":10000,"spreadMs":${what.spreadMs}}`);
        break;
      case 'stall':
        this.stalls[what.node] = what.ms;
        break;
      case 'end':
        for (const { socket } of this.#on(what.node)) socket.serverEnds(what.code);
        break;
      case 'network':
        world.online = what.on;
        world.page(what.on ? 'online' : 'offline');
        break;
      case 'page':
        world.page(what.event);
        if (what.event === 'hide') setTimeout(() => world.page('restored'), 700);
        break;
      case 'sleep':
        world.sleep(what.ms);
        break;
      case 'reconnect':
        this.reconnects += 1;
        this.links[what.tab]?.reconnect();
    }
  }

  /** Both sides talk, and what is true at every moment is looked at. */
  async pass(ms: number): Promise<void> {
    const { world } = this;
    for (let t = 0; t < ms; t += 200) {
      for (const [index, mine] of this.seen.entries())
        if (mine.socket.readyState === 1 && this.health[mine.node] === 'up')
          mine.socket.serverSends(`${index} ${mine.said++}`);
      this.#sent += 1;
      for (const ws of this.links) ws.send(`s ${this.#sent}`);
      await world.pass(Math.min(200, ms - t));
      for (const { status } of this.links)
        if (status.name === 'online' && status.standby !== undefined)
          expect(status.standby, 'a standby leads elsewhere').not.toBe(status.node);
    }
  }

  check(): void {
    const { world, plan } = this;
    const { fastAttempts, dialsPerMinute } = POLICIES[plan.policy];
    for (const tab of this.links.keys()) {
      // No connection is heard again after another was, and of each every frame once and in order.
      const order = this.heard[tab]!.map(([socket]) => socket).filter(
        (socket, i, all) => socket !== all[i - 1],
      );
      expect(new Set(order).size, `connections heard by tab ${tab}: ${order.join()}`).toBe(order.length);
      for (const of of order) {
        const frames = this.heard[tab]!.filter(([socket]) => socket === of).map(([, frame]) => frame);
        expect(frames, `heard of ${of}`).toEqual(frames.map((_, i) => frames[0]! + i));
      }
      // Sends arrive in order and none twice; some went down with their connection.
      const arrived = this.arrived[tab]!;
      expect(
        arrived.filter((n, i) => i > 0 && n <= arrived[i - 1]!),
        `out of order, tab ${tab}`,
      ).toEqual([]);
      const at = this.seen.filter((one) => one.tab === tab).map(({ dialledAt }) => dialledAt);
      at.forEach((from, i) => {
        const many = at.length - i;
        const last = at.at(-1)!;
        const budget = 3 * fastAttempts + ((last - from) * dialsPerMinute) / 60_000 + 1 + this.reconnects;
        expect(many, `dials from ${from} to ${last}`).toBeLessThanOrEqual(budget);
      });
    }
    if (plan.login) {
      for (const { socket } of this.seen) {
        if (socket.received.length) expect(socket.received[0], 'first frame').toBe('login');
      }
    }
    if (plan.userAgent === FIREFOX) {
      for (const [host, times] of this.leaks) {
        const peak = Math.max(...times.map((at) => times.filter((t) => t <= at && at - t < LEAK_MS).length));
        expect(peak, `leaks to ${host}`).toBeLessThan(6);
      }
    }
    expect(world.errors).toEqual([]);
    expect(world.log.filter((line) => /warning callback|giveup|overflow/.test(line))).toEqual([]);
    for (const report of world.reports) {
      expect(JSON.parse(JSON.stringify(report))).toEqual(report);
      const times = [report.downMs, report.upAfterMs, report.replayMs, report.detectedAfterMs];
      for (const { waitedMs, durationMs } of report.attempts) times.push(waitedMs, durationMs);
      expect(Math.min(...times), JSON.stringify(report)).toBeGreaterThanOrEqual(0);
    }
  }

  /** All is well again, and so is every link within a bound; closed, they leave nothing. */
  async end(): Promise<void> {
    const { world, links } = this;
    const { capMs } = POLICIES[this.plan.policy];
    this.happen({ do: 'network', on: true });
    NODES.forEach((_, at) => {
      this.happen({ do: 'health', node: at, health: 'up' });
      this.happen({ do: 'stall', node: at, ms: 0 });
    });
    const up = () => links.every(({ status: { name } }) => name === 'online');
    const { now } = world;
    const bound = this.plan.userAgent === FIREFOX ? LEAK_MS + 60_000 : capMs + 30_000;
    await this.pass(2_000);
    while (!up() && world.now - now < bound) await this.pass(1_000);
    expect(
      links.map(({ status: { name } }) => name),
      `after ${bound} ms`,
    ).toEqual(links.map(() => 'online'));
    await this.pass(1_000);
    this.check();
    for (const ws of links) ws.close();
    await world.pass(2_000);
    // What hung is timed by the fake Firefox.
    expect(world.left).toEqual({ timers: 0, listeners: 0, sockets: 0 });
    expect([...world.locks!.queues.values()].flat()).toEqual([]);
  }
}

test('random schedules', async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (plan) => {
      const stage = new Stage(plan);
      try {
        await stage.pass(2_000);
        for (const [afterMs, what] of plan.happenings) {
          stage.happen(what);
          await stage.pass(afterMs);
        }
        await stage.end();
      } finally {
        stage.world.dispose();
      }
    }),
    { seed: 20261122, numRuns: 20 },
  );
}, 30_000);
