import type { Crowd, NewCrowd, Surroundings } from './crowd.ts';

/** What another client does between its dials, as its source says. It keeps a count of dials per client and nothing else. */
interface Habit {
  /** The wait before dial `dial` (1 is the first) of an outage, ms. `fixed` is drawn once for each client, uniform in [0, 1). */
  readonly wait: (dial: number, random: () => number, fixed: number) => number;
  /** How long a handshake is given. @default what the browser gives it */
  readonly deadlineMs?: number;
  /** From silence to its verdict: the shortest and the longest time, ms. @default it never notices */
  readonly silentMs?: readonly [number, number];
}

/** Chromium 156 gives up a handshake that hangs after so long (measured; Firefox after 20 s, WebKit never). */
const ENGINE_DEADLINE_MS = 240_000;

const crowdOf =
  ({ wait, deadlineMs = ENGINE_DEADLINE_MS, silentMs = [Infinity, Infinity] }: Habit): NewCrowd =>
  ({ clients, random }: Surroundings): Crowd => {
    const dials = new Uint32Array(clients);
    const fixed = Float32Array.from({ length: clients }, random);
    const next = (client: number): number => wait(++dials[client]!, random, fixed[client]!);
    const [soonest, latest] = silentMs;
    return {
      lost: next,
      dial: () => deadlineMs,
      failed: next,
      opened: () => {},
      silentFor: (_, luck) => (soonest < Infinity ? soonest + luck * (latest - soonest) : Infinity),
    };
  };

export const OTHERS: Readonly<Record<string, NewCrowd>> = {
  'immediate redial': crowdOf({ wait: () => 0 }),

  // reconnecting-websocket 4.4.0, dist/reconnecting-websocket-mjs.js: minReconnectionDelay 1000 + random · 4000, drawn once when
  // the page loads; × 1.3 for every dial, at most 10 s; connectionTimeout 4 s. No heartbeat.
  'reconnecting-websocket': crowdOf({
    wait: (dial, _, fixed) => Math.min((1_000 + 4_000 * fixed) * 1.3 ** (dial - 1), 10_000),
    deadlineMs: 4_000,
  }),

  // Meteor, packages/retry/retry.js: two dials after 10 ms, then 1 s · 2.2ⁿ, at most 5 min, ± 25 %; CONNECT_TIMEOUT 10 s in
  // packages/socket-stream-client/common.js. DDP heartbeat 17.5 s + 15 s (ddp-client), any frame starts it anew.
  Meteor: crowdOf({
    wait: (dial, random) =>
      dial <= 2 ? 10 : Math.min(300_000, 1_000 * 2.2 ** (dial - 1)) * (0.75 + 0.5 * random()),
    deadlineMs: 10_000,
    silentMs: [32_500, 50_000],
  }),

  // simpleddp-core 2, src/ddp.js: DEFAULT_RECONNECT_INTERVAL 10 s, always; no deadline and no heartbeat of its own.
  simpleddp: crowdOf({ wait: () => 10_000 }),

  // socket.io-client 4.8, lib/manager.ts and lib/contrib/backo2.ts: 1 s · 2ⁿ ± 50 %, cut to 5 s after the jitter; timeout 20 s.
  // Its server pings every 25 s and gives 20 s (pingInterval, pingTimeout): the client waits for the sum since the last ping.
  'socket.io-client': crowdOf({
    wait: (dial, random) => Math.min(1_000 * 2 ** (dial - 1) * (0.5 + random()), 5_000),
    deadlineMs: 20_000,
    silentMs: [20_000, 45_000],
  }),

  // AWS, "Exponential Backoff And Jitter": random between 0 and min(cap, base · 2ⁿ), with the figures of the AWS SDKs' standard
  // retry mode: base 1 s, cap 20 s. It says nothing about deadlines of handshakes.
  'full jitter (AWS)': crowdOf({
    wait: (dial, random) => random() * Math.min(20_000, 1_000 * 2 ** (dial - 1)),
  }),
};
