import { spreadFor } from '../../../src/server/spread.ts';
import { Agenda } from './agenda.ts';
import type { Answer, Failed, NewCrowd } from './crowd.ts';
import { seeded } from '../../support/random.ts';
import { Series } from './series.ts';
import { balancer, Survivor } from './survivor.ts';

/** What a dead node is like for those who still land on it. */
export type Death =
  /** Its gateway answers 502, and its connections end. */
  | 'gateway'
  /** Nothing answers any more, and nobody is told. */
  | 'silent';

/** What the question over HTTP meets that clients ask beside their dials. */
export type Probes =
  /** A kept-alive connection to the node that died, as with HTTP/2. */
  | 'pinned'
  /** A connection of its own, that the balancer tosses and a survivor has to pay for. */
  | 'tossed'
  /** Somebody who is not in the survivors' queue and says that all is well: the worst evidence in an overload. */
  | 'misled'
  | 'none';

export interface Scenario {
  /** How many lose their node. */
  readonly clients: number;
  readonly nodes: number;
  readonly dead: number;
  readonly death: Death;
  /** Handshakes each survivor completes. */
  readonly perSecond: number;
  /** Handshakes that may wait at each survivor. */
  readonly backlog: number;
  /** When the balancer's check ejects the dead nodes, ms. */
  readonly ejectedAt: number;
  /** The dying node had told its clients how widely to spread. */
  readonly hint: boolean;
  readonly probes: Probes;
  readonly seed: number;
  /** Give up the run when so much time has passed, or so many dials of each client were made on average. */
  readonly limits?: { readonly ms: number; readonly dialsPerClient: number };
}

export const DEFAULTS: Scenario = {
  clients: 100_000,
  nodes: 2,
  dead: 1,
  death: 'gateway',
  perSecond: 5_000,
  backlog: Infinity,
  ejectedAt: Infinity,
  hint: false,
  probes: 'pinned',
  seed: 1,
};

export interface Outcome {
  /** When each client that was served was, ms after the fault, sorted. */
  readonly servedAt: Float64Array;
  /** Clients that are still waiting: they never noticed, gave up, or the run was. */
  readonly unserved: number;
  readonly dials: number;
  /** Handshakes the survivors did for clients that had gone meanwhile. */
  readonly wasted: number;
  /** Handshakes that found a survivor's queue full. */
  readonly dropped: number;
  /** Most handshakes that came to the survivors in one second. */
  readonly peak: number;
  /** Longest time a handshake waited at a survivor, ms. */
  readonly longestQueueMs: number;
  readonly offered: Series;
  readonly useful: Series;
  readonly useless: Series;
}

const LIMITS = { ms: 24 * 3_600_000, dialsPerClient: 2_000 };

/** Round trips take 20 to 60 ms, each client has its own. */
const RTT_MS = [20, 60] as const;

/** TCP, TLS 1.3 and the upgrade take three round trips; the node's work on them begins and ends in the middle. */
const HANDSHAKE_RTTS = 3;

/** The 502 comes sooner than any real one could, which is hardest on the survivor: its clients dial again the sooner. */
const REFUSAL_RTTS = 1;

/** A SYN that is dropped is sent again after 1, 2, 4 … s (RFC 6298, section 2 and 5.5). */
const SYN_RTO_MS = 1_000;

/** The default of `probe.timeoutMs`. */
const PROBE_MS = 3_000;

/** What happens next to a client. It has one such thing at a time, and beside it at most one question over HTTP. */
const enum Next {
  Lost,
  Dial,
  Arrive,
  Open,
  Refused,
  Timeout,
}

const ANSWERS: readonly Answer[] = ['gateway', 'healthy', 'unreachable'];

/** The spread a node announces before it dies, as the server part of this library works it out, ms. */
export const hintOf = ({ clients, nodes, dead, perSecond }: Scenario): number =>
  spreadFor(clients / dead, ((nodes - dead) * perSecond) / dead);

/** One herd, from the fault until everybody is served. */
export function stampede(scenario: Scenario, newCrowd: NewCrowd): Outcome {
  const { clients, nodes, dead, death, perSecond, backlog, ejectedAt, probes, seed } = scenario;
  const { limits = LIMITS } = scenario;
  const random = seeded(seed);
  const survivors = Array.from({ length: nodes - dead }, () => new Survivor(perSecond, backlog));
  const toss = balancer(nodes, dead, ejectedAt, random);
  const silent = death === 'silent';
  const rtt = Float32Array.from({ length: clients }, () => RTT_MS[0] + random() * (RTT_MS[1] - RTT_MS[0]));
  const networkMs = (client: number) => HANDSHAKE_RTTS * rtt[client]!;

  const crowd = newCrowd({
    clients,
    random,
    rttMs: (client) => rtt[client]!,
    usualMs: (client) => networkMs(client) + 1_000 / perSecond,
    spreadMs: scenario.hint ? hintOf(scenario) : 0,
    silent,
  });

  /** Client `i` is entry `i`, its question over HTTP entry `clients + i`. */
  const agenda = new Agenda(2 * clients);
  const next = new Uint8Array(clients);
  const dialledAt = new Float64Array(clients);
  const deadlineAt = new Float64Array(clients);
  const landedOn = new Uint16Array(clients);
  const syns = new Uint8Array(clients);
  const answers = new Uint8Array(clients);

  const servedAt = new Float64Array(clients);
  const offered = new Series();
  const useful = new Series();
  const useless = new Series();
  let [served, dials, wasted, dropped, longestQueueMs] = [0, 0, 0, 0, 0];

  const plan = (client: number, what: Next, at: number): void => {
    if (at === Infinity) return;
    next[client] = what;
    agenda.add(at, client);
  };

  const dial = (client: number, now: number): void => {
    dials += 1;
    dialledAt[client] = now;
    syns[client] = 0;
    const deadline = (deadlineAt[client] = now + crowd.dial(client, now));
    const node = toss(now);
    if (node === undefined) {
      const refused = silent ? Infinity : now + REFUSAL_RTTS * rtt[client]!;
      return refused < deadline ? plan(client, Next.Refused, refused) : plan(client, Next.Timeout, deadline);
    }
    landedOn[client] = node;
    // One that is given up before it arrives has left its work on the way all the same.
    plan(client, Next.Arrive, Math.min(now + networkMs(client) / 2, deadline));
  };

  const arrive = (client: number, now: number): void => {
    const survivor = survivors[landedOn[client]!]!;
    const deadline = deadlineAt[client]!;
    offered.add(now);
    const wait = survivor.waitMs(now);
    const done = survivor.take(now);
    if (done === undefined) {
      dropped += 1;
      const again = dialledAt[client]! + networkMs(client) / 2 + (2 ** ++syns[client]! - 1) * SYN_RTO_MS;
      return again < deadline ? plan(client, Next.Arrive, again) : plan(client, Next.Timeout, deadline);
    }
    longestQueueMs = Math.max(longestQueueMs, wait);
    const answered = done + networkMs(client) / 2;
    if (answered < deadline) {
      useful.add(done);
      return plan(client, Next.Open, answered);
    }
    wasted += 1;
    useless.add(done);
    plan(client, Next.Timeout, deadline);
  };

  const ask = (client: number, now: number): void => {
    const slowest = now + PROBE_MS;
    let [answer, at]: [Answer, number] = silent ? ['unreachable', slowest] : ['gateway', now + rtt[client]!];
    const node = probes === 'tossed' ? toss(now) : undefined;
    const done = node === undefined ? undefined : survivors[node]!.take(now);
    if (probes === 'misled') [answer, at] = ['healthy', now + rtt[client]!];
    else if (node !== undefined) {
      const answered = (done ?? Infinity) + networkMs(client);
      [answer, at] = answered < slowest ? ['healthy', answered] : ['unreachable', slowest];
      if (done !== undefined) {
        wasted += 1;
        useless.add(done);
      }
    }
    answers[client] = ANSWERS.indexOf(answer);
    agenda.add(at, clients + client);
  };

  const fail = (client: number, how: Failed, now: number): void => {
    plan(client, Next.Dial, now + crowd.failed(client, how, now));
    if (probes !== 'none' && crowd.asks?.(client, now)) ask(client, now);
  };

  for (let client = 0; client < clients; client++) {
    plan(client, Next.Lost, silent ? crowd.silentFor(client, random()) : rtt[client]! / 2);
  }

  for (
    let now = agenda.nextAt;
    now < limits.ms && dials < limits.dialsPerClient * clients;
    now = agenda.nextAt
  ) {
    const entry = agenda.next();
    if (entry >= clients) {
      const client = entry - clients;
      crowd.asked?.(client, ANSWERS[answers[client]!]!, now);
      continue;
    }
    switch (next[entry] as Next) {
      case Next.Lost:
        plan(entry, Next.Dial, now + crowd.lost(entry, now));
        break;
      case Next.Dial:
        dial(entry, now);
        break;
      case Next.Arrive:
        arrive(entry, now);
        break;
      case Next.Open:
        crowd.opened(entry, now - dialledAt[entry]!, now);
        servedAt[served++] = now;
        break;
      case Next.Refused:
        fail(entry, 'refused', now);
        break;
      case Next.Timeout:
        fail(entry, 'timeout', now);
        break;
    }
  }

  return {
    servedAt: servedAt.subarray(0, served),
    unserved: clients - served,
    dials,
    wasted,
    dropped,
    peak: Math.max(0, ...offered.perSecond(1_000).rates),
    longestQueueMs,
    offered,
    useful,
    useless,
  };
}
