import type { Fault, Moment, Plan, Step, Work } from './plan.ts';
import { Dice, stream } from './world/random.ts';

/** What a seed stands for. Most worlds are simple, so that one thing that goes wrong is not always hidden behind another. */
export function generate(seed: number): Plan {
  const dice = new Dice(stream(seed, 'plan'));
  const protocol = dice.chance(0.55) ? 'ddp' : 'plain';
  const heartbeat =
    protocol === 'ddp'
      ? 'active'
      : dice.weighted<Plan['link']['heartbeat']>([
          [80, 'active'],
          [12, 'passive'],
          [8, 'none'],
        ]);
  const nodes = dice.chance(0.75) ? 2 : 3;
  const tabs = dice.weighted([
    [78, 1],
    [15, 2],
    [7, 3],
  ]);
  // Some worlds are bad for long: deadlines grow to a minute, leaks end, budgets are earned again.
  const long = dice.chance(0.06);
  const faultsUntil = long ? dice.int(60_000, 300_000) : dice.int(4_000, 20_000);
  const plan = {
    seed,
    protocol,
    link: {
      policy: dice.weighted([
        [5, 'fast'],
        [3, 'balanced'],
        [2, 'frugal'],
      ]),
      maxAttempts: dice.chance(0.04) ? dice.int(1, 6) : undefined,
      // With a short lane the budget is soon spent.
      fastAttempts: dice.chance(0.3) ? dice.int(1, 4) : undefined,
      hedge: dice.chance(0.85),
      // One that cannot be asked for a sign of life is of no use.
      standby: dice.chance(0.2) && heartbeat === 'active',
      heartbeat,
      login: protocol === 'plain' && dice.chance(0.4),
      provider: dice.weighted([
        [78, 'none'],
        [10, 'steady'],
        [6, 'moody'],
        [6, 'ends'],
      ]),
      probe: dice.chance(0.8),
      perConnection: protocol === 'plain' && dice.chance(0.1),
      maxQueued: dice.chance(0.15) ? 8 : 1_000,
      maxBytes: dice.chance(0.1) ? 40 : 100_000,
      greets: protocol === 'plain' && dice.chance(0.3),
    },
    browser: {
      engine: dice.weighted([
        [5, 'chromium'],
        [3, 'firefox'],
        [2, 'webkit'],
      ]),
      tabs,
      locks: dice.chance(0.85),
      storage: dice.chance(0.9),
      worker: dice.chance(0.9),
    },
    net: {
      rttMs: dice.pick([2, 20, 40, 40, 80, 200, 600]),
      jitter: dice.pick([0.1, 0.5, 2]),
      loss: dice.pick([0, 0, 0.01, 0.1]),
      nodes,
      addressing: dice.weighted([
        [5, 'balancer'],
        [3, 'fresh'],
        [3, 'list'],
      ]),
      checkMs: dice.pick([500, 2_000, 5_000, 10_000]),
      checkSees: dice.chance(0.5) ? 'app' : 'gateway',
    },
    server: {
      patientMs: protocol === 'ddp' && dice.chance(0.08) ? dice.int(10, 400) : 0,
      subMs: dice.pick([0, 5, 50, 300]),
      methodMs: dice.pick([0, 5, 50, 200]),
      speaksMs: heartbeat === 'passive' ? 1_000 : 0,
      spreadMs: dice.chance(0.15) ? dice.int(100, 4_000) : 0,
      busy: protocol === 'ddp' && dice.chance(0.25),
    },
  } as const satisfies Partial<Plan>;
  const at = (until: number) => Math.round(dice.random() * until);
  const steps: Step[] = [];
  let begins = 0;
  // Now and then all that happens is a deploy as it should be.
  const deploy = dice.chance(0.05);
  if (deploy) {
    const node = dice.int(0, nodes - 1);
    begins = at(faultsUntil);
    steps.push({
      at: begins,
      do: 'drain',
      node,
      afterMs: dice.pick([3_000, 8_000]),
      spreadMs: dice.pick([0, 400]),
    });
  }
  for (let left = deploy ? 0 : dice.int(1, 9); left > 0; left--) {
    // What goes wrong often does so together.
    begins = dice.chance(0.3) ? Math.min(begins + dice.int(0, 600), faultsUntil) : at(faultsUntil);
    for (const { after, ...fault } of faults(dice, nodes, tabs))
      steps.push({ at: Math.min(begins + after, faultsUntil), ...fault });
  }
  // Nobody answers for minutes, and nobody hangs up either.
  if (long && dice.chance(0.4))
    for (let node = 0; node < nodes; node++) steps.push({ at: dice.int(1_000, 5_000), do: 'hang', node });
  const when = () =>
    dice.chance(0.3)
      ? 0
      : deploy && dice.chance(0.5)
        ? Math.max(0, begins + dice.int(-200, 200))
        : at(faultsUntil);
  for (let tab = 0; tab < tabs; tab++)
    for (let left = dice.int(4, 14); left > 0; left--)
      steps.push({ at: when(), ...work(dice, protocol, tab) });
  // Some apps act where they are told something.
  if (dice.chance(0.15))
    for (let left = dice.int(1, 6); left > 0; left--)
      steps.push({ at: at(faultsUntil), ...within(dice, protocol, dice.int(0, tabs - 1)) });
  // To leave a node for one that takes the token no more.
  if (plan.link.login && plan.link.provider === 'ends' && dice.chance(0.5)) {
    const then = at(faultsUntil);
    steps.push({ at: then, do: 'revoke' });
    for (const { after: _, ...drain } of allDrain(nodes)) steps.push({ at: then, ...drain });
  }
  // An app that acts while it is told to go and has no network.
  if (dice.chance(0.02)) {
    const then = at(faultsUntil - 2_000);
    for (const { after: _, ...drain } of allDrain(nodes)) steps.push({ at: then, ...drain });
    steps.push({ at: then + 700, do: 'offline', tab: 0 });
    steps.push({ at: then + 1_000, do: dice.pick(['reconnect', 'close']), tab: 0 });
  }
  // Now and then an app ends in the midst of it.
  if (dice.chance(0.08)) {
    const after = (steps[dice.int(0, steps.length - 1)]?.at ?? 0) + dice.int(0, 500);
    steps.push({ at: Math.min(after, faultsUntil), do: 'close', tab: dice.int(0, tabs - 1) });
  }
  if (plan.link.login || protocol === 'ddp')
    if (dice.chance(0.1)) steps.push({ at: at(faultsUntil), do: 'revoke' });
  steps.sort((a, b) => a.at - b.at);
  return { ...plan, steps, healAt: faultsUntil + 500 };
}

type Later = Fault & { readonly after: number };

/** One thing that goes wrong, often with its end. */
function faults(dice: Dice, nodes: number, tabs: number): Later[] {
  const node = dice.int(0, nodes - 1);
  const tab = dice.int(0, tabs - 1);
  const now = (fault: Fault): Later => ({ ...fault, after: 0 });
  const then = (fault: Fault, after = dice.pick([50, 300, 1_000, 4_000, 10_000, 90_000])): Later[] =>
    dice.chance(0.8) ? [{ ...fault, after }] : [];
  const kinds: (readonly [number, () => Later[]])[] = [
    [8, () => [now({ do: 'crash', node }), ...then({ do: 'start', node })]],
    [7, () => [now({ do: 'hang', node }), ...then({ do: 'resume', node })]],
    [
      7,
      () => [
        now({ do: 'vanish', node }),
        ...then({ do: 'appear', node, forgets: dice.pick(['resets', 'silent', 'nothing', 'nothing']) }),
      ],
    ],
    [
      6,
      () => {
        const afterMs = dice.pick([0, 500, 3_000, 8_000]);
        const spreadMs = Math.min(afterMs, dice.pick([0, 0, 400, 4_000]));
        return [now({ do: 'drain', node, afterMs, spreadMs }), ...then({ do: 'start', node }, afterMs + 500)];
      },
    ],
    [5, () => [now({ do: 'end', node, code: dice.pick([1000, 1001, 1006, 1008, 1011, 1012, 1013, 4000]) })]],
    [
      4,
      () => {
        const status = dice.pick([401, 403, 404, 429, 502, 503, 504, 302, 521]);
        const retryAfter =
          status === 429 || (status === 503 && dice.chance(0.7)) ? dice.int(0, 20) : undefined;
        const gateway = dice.chance(0.2)
          ? ({ mode: 'stripped' } as const)
          : ({ mode: 'status', status, retryAfter } as const);
        return [
          now({ do: 'gateway', node, gateway }),
          ...(dice.chance(0.6) ? [now({ do: 'end', node, code: 1006 })] : []),
          ...then({ do: 'gateway', node, gateway: { mode: 'normal' } }),
        ];
      },
    ],
    [3, () => [now({ do: 'mute', node }), ...then({ do: 'start', node })]],
    [2, () => [now({ do: 'off', node }), ...then({ do: 'start', node })]],
    [3, () => [now({ do: 'slow', node, ms: dice.pick([100, 400, 1_500, 6_000]) })]],
    [
      3,
      () => [
        now({ do: 'overload', node, perSecond: dice.pick([0.3, 1, 5]), queue: dice.pick([0, 2, 10]) }),
        now({ do: 'end', node, code: dice.pick([1006, 1013]) }),
      ],
    ],
    [3, () => [now({ do: 'misjudge', node, ms: dice.int(500, 8_000) })]],
    [
      7,
      () => [
        now({
          do: 'stall',
          tab,
          ms: dice.pick([200, 400, 800, 1_500, 4_000]),
          way: dice.pick(['up', 'down', 'both', 'both']),
        }),
      ],
    ],
    [3, () => [now({ do: 'roam', tab }), ...(dice.chance(0.5) ? [now({ do: 'online', tab })] : [])]],
    [4, () => [now({ do: 'offline', tab }), ...then({ do: 'online', tab })]],
    [3, () => [now({ do: 'hideTab', tab }), ...then({ do: 'showTab', tab })]],
    [2, () => [now({ do: 'freeze', tab, ms: dice.int(300, 9_000) })]],
    [2, () => [now({ do: 'sleep', tab, ms: dice.int(1_000, 40_000) })]],
    [2, () => [now({ do: 'bfcache', tab, ms: dice.int(100, 8_000) })]],
    [1, () => [now({ do: 'touch', tab })]],
    [
      1,
      () => [
        ...allDrain(nodes),
        { do: 'offline', tab, after: 700 },
        dice.chance(0.5)
          ? { do: 'bfcache', tab, ms: 500, after: 1_000 }
          : { do: 'online', tab, after: 2_000 },
      ],
    ],
  ];
  return dice.weighted(kinds)();
}

/** Wherever a client is, it is told to go, with time to spare. */
const allDrain = (nodes: number): Later[] =>
  Array.from({ length: nodes }, (_, node) => ({
    do: 'drain',
    node,
    afterMs: 8_000,
    spreadMs: 4_000,
    after: 0,
  }));

const MOMENTS = ['status', 'attempt', 'suspect', 'drain', 'down', 'up', 'failover'] as const;

function within(dice: Dice, protocol: Plan['protocol'], tab: number): Work {
  const own: readonly Moment[] = protocol === 'plain' ? ['open', 'message'] : ['document', 'ready'];
  const what = dice.chance(0.15)
    ? { do: dice.pick(['reconnect', 'close'] as const), tab }
    : work(dice, protocol, tab);
  return { do: 'within', tab, moment: dice.pick([...MOMENTS, ...own, ...own]), what };
}

function work(dice: Dice, protocol: Plan['protocol'], tab: number): Work {
  const rare = dice.random();
  if (rare < 0.02) return { do: 'reconnect', tab };
  if (rare < 0.023) return { do: 'close', tab };
  if (protocol === 'plain')
    return dice.weighted<Work>([
      [6, { do: 'send', tab, count: dice.pick([1, 1, 2, 5, 12]) }],
      [3, { do: 'set', tab, key: dice.pick(['x', 'y', 'z']) }],
      [1, { do: 'delete', tab, key: dice.pick(['x', 'y', 'z']) }],
    ]);
  return dice.weighted<Work>([
    [
      5,
      {
        do: 'sub',
        tab,
        pub: dice.weighted([
          [4, 'all'],
          [3, 'even'],
          [2, 'others'],
          [2, 'mine'],
          [1, 'refused'],
        ]),
      },
    ],
    [1, { do: 'stop', tab, nth: dice.int(0, 5) }],
    [
      7,
      {
        do: 'call',
        tab,
        method: dice.weighted([
          [6, 'put'],
          [1, 'remove'],
          [1, 'fail'],
          [1, 'slow'],
        ]),
        doc: dice.int(0, 10),
        retry: dice.chance(0.7),
        wait: dice.chance(0.08),
        timeoutMs: dice.pick([500, 3_000, 10_000]),
        abortMs: dice.chance(0.1) ? dice.int(0, 3_000) : undefined,
      },
    ],
    [4, { do: 'write', doc: dice.int(0, 10), what: dice.chance(0.75) ? 'put' : 'remove' }],
    [1, { do: 'login', tab }],
    [0.4, { do: 'logout', tab }],
  ]);
}
