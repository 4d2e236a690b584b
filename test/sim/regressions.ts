import type { Plan } from './plan.ts';

/** What the schedules have in common, unless they say otherwise. */
const LINK = {
  hedge: true,
  standby: false,
  heartbeat: 'active',
  login: false,
  maxAttempts: undefined,
  fastAttempts: undefined,
  provider: 'none',
  probe: false,
  perConnection: false,
  maxQueued: 1000,
} as const;
const BROWSER = { tabs: 1, locks: true, storage: true, worker: true } as const;

/** Schedules that broke a rule before the library was mended. The seed is the one that was found; the world was cut down since. */
export const REGRESSIONS: readonly { readonly name: string; readonly plan: Plan }[] = [
  {
    name: "seed 488: a slow link without hedge: the answer to one ping is not taken for another's, or every connection is given up too soon",
    plan: {
      seed: 488,
      protocol: 'ddp',
      link: { ...LINK, policy: 'fast', hedge: false },
      browser: { ...BROWSER, engine: 'firefox' },
      net: {
        rttMs: 600,
        jitter: 2,
        loss: 0,
        nodes: 3,
        addressing: 'balancer',
        checkMs: 2000,
        checkSees: 'app',
      },
      server: { patientMs: 0, subMs: 50, methodMs: 0, speaksMs: 0, spreadMs: 0, busy: false },
      steps: [],
      healAt: 500,
    },
  },
  {
    name: 'seed 942: the same with a login, on a plain link',
    plan: {
      seed: 942,
      protocol: 'plain',
      link: { ...LINK, policy: 'fast', hedge: false, login: true, perConnection: true },
      browser: { ...BROWSER, engine: 'webkit' },
      net: {
        rttMs: 600,
        jitter: 2,
        loss: 0,
        nodes: 2,
        addressing: 'balancer',
        checkMs: 500,
        checkSees: 'app',
      },
      server: { patientMs: 0, subMs: 5, methodMs: 5, speaksMs: 0, spreadMs: 0, busy: false },
      steps: [
        { at: 0, do: 'send', tab: 0, count: 1 },
        { at: 1155, do: 'send', tab: 0, count: 1 },
        { at: 1289, do: 'send', tab: 0, count: 12 },
      ],
      healAt: 1789,
    },
  },
  {
    name: 'seed 5701: two replacements race while the old node serves: what is subscribed to meanwhile reaches the one that wins',
    plan: {
      seed: 3,
      protocol: 'plain',
      link: { ...LINK, policy: 'frugal' },
      browser: { ...BROWSER, engine: 'webkit' },
      net: {
        rttMs: 600,
        jitter: 0.1,
        loss: 0,
        nodes: 3,
        addressing: 'list',
        checkMs: 2000,
        checkSees: 'app',
      },
      server: { patientMs: 0, subMs: 0, methodMs: 0, speaksMs: 0, spreadMs: 0, busy: false },
      steps: [
        { at: 3598, do: 'offline', tab: 0 },
        { at: 4695, do: 'reconnect', tab: 0 },
        { at: 6153, do: 'online', tab: 0 },
        { at: 8300, do: 'set', tab: 0, key: 'y' },
      ],
      healAt: 8800,
    },
  },
  {
    name: 'seed 87942: a page that wakes up in the midst of a replay: nothing of it is kept for the next connection, which gets its own',
    plan: {
      seed: 87942,
      protocol: 'ddp',
      link: { ...LINK, policy: 'balanced', standby: true },
      browser: { ...BROWSER, engine: 'webkit' },
      net: {
        rttMs: 2,
        jitter: 0.1,
        loss: 0,
        nodes: 2,
        addressing: 'balancer',
        checkMs: 5000,
        checkSees: 'app',
      },
      server: { patientMs: 0, subMs: 5, methodMs: 0, speaksMs: 0, spreadMs: 0, busy: false },
      steps: [
        { at: 0, do: 'sub', tab: 0, pub: 'even' },
        { at: 2164, do: 'off', node: 1 },
        { at: 3887, do: 'mute', node: 0 },
        { at: 5863, do: 'sub', tab: 0, pub: 'mine' },
        { at: 7492, do: 'sleep', tab: 0, ms: 39974 },
        { at: 7782, do: 'crash', node: 0 },
      ],
      healAt: 8282,
    },
  },
  {
    name: 'seed 421: left again before its data was shown: what a connection then says of documents that nobody saw changes none',
    plan: {
      seed: 421,
      protocol: 'ddp',
      link: { ...LINK, policy: 'frugal' },
      browser: { ...BROWSER, engine: 'webkit' },
      net: {
        rttMs: 40,
        jitter: 0.1,
        loss: 0,
        nodes: 2,
        addressing: 'balancer',
        checkMs: 500,
        checkSees: 'app',
      },
      server: { patientMs: 0, subMs: 300, methodMs: 200, speaksMs: 0, spreadMs: 0, busy: true },
      steps: [
        { at: 100, do: 'sub', tab: 0, pub: 'even' },
        { at: 100, do: 'write', doc: 0, what: 'put' },
        { at: 1105, do: 'freeze', tab: 0, ms: 5889 },
        { at: 2412, do: 'end', node: 1, code: 1001 },
        { at: 4342, do: 'write', doc: 4, what: 'put' },
        { at: 7197, do: 'reconnect', tab: 0 },
      ],
      healAt: 7697,
    },
  },
];
