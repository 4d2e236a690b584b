import { classify, type ConnectionEnd } from '../rules/classify.ts';
import { createAttempts, type Attempt } from './attempt.ts';
import type { Connection } from './connection.ts';
import { engineOf } from '../env/engines.ts';
import { FailoverError } from '../api/errors.ts';
import { formatValue } from '../../shared/format-value.ts';
import type { FailoverEvents, Stats, WarningKind } from '../api/events.ts';
import { failure, type Failure, type FailureKind } from '../api/failure.ts';
import { createHeart } from './heartbeat.ts';
import { createLeaks } from '../env/abandoned-handshakes.ts';
import { parseNotice } from '../rules/notices.ts';
import type { Leaving, ResolvedOptions } from '../api/options.ts';
import type { Frame } from '../api/frame.ts';
import { canSpare, spendDial } from '../rules/pacing.ts';
import { probe } from './probe.ts';
import type { AttemptReport, FailoverReport } from '../api/report.ts';
import { createDialler, type Socket } from './socket.ts';
import { createStandby } from './standby.ts';
import { newMachine, transition, type Effect, type LinkEvent, type State } from '../rules/machine.ts';
import { addChapter, newStory, type Story } from './recorder.ts';
import { redact, type Target } from './endpoints.ts';

/** What the link tells its owner. */
export interface LinkHooks {
  /** A socket is under way. */
  dialled(socket: Socket): void;
  /** Send on a connection that is not current yet what the app has subscribed to. */
  replay(connection: Connection): void;
  /** There is a new current connection: replay, dispatch `open`, flush. Returns how many queued frames went. */
  adopted(handover: boolean): number;
  /** A frame from the current connection. */
  frame(event: MessageEvent): void;
  /** Frames held back while the link was suspect may go out. */
  released(): void;
  /** A connection the app has used is gone, and the link goes on. */
  lost(end: ConnectionEnd): void;
  /** It will not dial again. */
  closed(end: ConnectionEnd): void;
  /** Something in `state` or `current` changed. */
  changed(): void;
  emit<E extends keyof FailoverEvents>(event: E, ...args: FailoverEvents[E]): void;
  /** Resolves when everything is replayed, and says how much that was. */
  replayed(): Promise<number>;
}

export interface Link {
  state(): State;
  current(): Connection | undefined;
  /** The node of the warm standby. */
  standby(): string | undefined;
  /** What the app subscribes to now goes to a connection that will be left for one that was told already. */
  handingOver(): boolean;
  /** May the app's frames go out on the current connection? Held back while it is suspect. */
  usable(): boolean;
  stats(): Omit<Stats, 'queuedMessages' | 'queuedBytes'>;
  start(): void;
  /** Calls the app's code; what it throws becomes a warning and undefined. */
  guard<T>(callback: string, call: () => T): T | undefined;
  send(frame: Frame): void;
  reconnect(): void;
  close(code: number, reason: string): void;
}

/** How long `close()` waits for the peer's close frame. Engines wait 5 to 90 s on a dead path. */
const CLOSE_LINGER_MS = 1_000;

/** What a WebSocket says whose peer sent no close frame. */
const NO_CLOSE_FRAME: ConnectionEnd = { code: 1006, reason: '', wasClean: false };

/** A dial to one address that takes longer gets another address beside it (RFC 8305, 5: connection attempt delay). */
const RACE_MS = 250;

/** What a standby may have said before it is of use; a server that talks all the time is none to keep a second connection to. */
const MAX_HELD = 100;

/** The shell around the pure machine: owns sockets and timers, runs effects, turns what happens into events. */
export function createLink(options: ResolvedOptions, target: Target, hooks: LinkHooks): Link {
  const { env, policy } = options;
  const { emit } = hooks;
  const engine = engineOf(env.userAgent);
  const dialler = createDialler(env);
  const leaks = createLeaks(env, engine);
  const counts = {
    dials: 0,
    dialFailures: 0,
    opens: 0,
    failovers: 0,
    suspicions: 0,
    hedgesCancelled: 0,
    framesSent: 0,
    framesReceived: 0,
  };
  let machine = newMachine(policy, env.now());
  let current: Connection | undefined;
  let attempt: Attempt | undefined;
  /** A dial to another address beside that one. */
  let rival: Attempt | undefined;
  let racing: unknown;
  /** Dials that are not needed any more, and end when they open or fail. */
  const forgotten = new Set<Attempt>();
  /** The connection before this one, while what it still says is wanted. */
  let old: { readonly connection: Connection; readonly to: Leaving; timer: unknown } | undefined;
  let story: Story | undefined;
  let probing: AbortController | undefined;
  /** Pacing; after `close()`, how long that may take. */
  let timer: unknown;
  /** Ends the wait for the peer's close frame; set from `close()` on. */
  let finish: ((end: ConnectionEnd) => void) | undefined;
  /** When the connection that is being given up was last heard. */
  let lastHeardAt = 0;
  /** How the current connection ended, for the `close` event. */
  let lastEnd: ConnectionEnd | undefined;

  const heart = createHeart(options, {
    current: () => (finish ? undefined : current),
    silent: (silentMs) => dispatch({ type: 'silent', failure: failure('silent'), silentMs }),
    off() {
      warn('heartbeat-unanswered', 'unanswered');
      dispatch({ type: 'alive' });
    },
    guard,
  });

  const unlisten = [
    env.page.on('online', wake),
    env.page.on('resume', wake),
    env.page.on('visible', () => (heart.touched(), wake())),
    env.page.on('active', () => heart.touched() && wake()),
    env.page.on('offline', () => dispatch({ type: 'offline' })),
    // A clean end keeps the page fit for the back/forward cache, and leaves no ghost on the server.
    env.page.on('hide', () => (dispatch({ type: 'hide', failure: failure('suspended') }), endOthers())),
    env.page.on('restored', () => (dispatch({ type: 'lost', failure: failure('suspended') }), wake())),
  ];

  const start = createAttempts(options, target, dialler, engine, leaks, {
    dialled: ({ socket }) => hooks.dialled(socket),
    ready,
    failed,
    heard,
    frame,
    unanswered(mine, asked, cause) {
      // Only the provider that was asked for fresh credentials may end the link; a TypeError, as of a failed `fetch`, means no end.
      if (asked === 'unauthorized' && !(cause instanceof TypeError)) {
        const error = new FailoverError(asked, `provider: ${formatValue(cause)}`, { cause });
        return dispatch({ type: 'end', error });
      }
      threw('provider', cause);
      failed(mine, failure('provider', formatValue(cause)));
    },
    ended(mine, connection, end) {
      if (connection === old?.connection) return leave();
      if (connection !== current) return failed(mine, classify(connection.openedAt !== undefined, end));
      if (finish) return finish(end);
      lastEnd = end;
      dispatch({ type: 'lost', failure: classify(connection.openedAt !== undefined, end) });
    },
  });

  const standby = createStandby(env, policy, {
    dial(number) {
      if (leaks.of(target.host).length >= engine.freeAbandons || !spare()) return undefined;
      counts.dials += 1;
      return start({ attempt: number, cause: undefined, deadlineMs: policy.deadlineCapMs, waitedMs: 0 });
    },
    nodeInUse: () => current?.node,
    idle: () => options.standby && isOnline() && machine.state.name === 'online' && !machine.state.outage,
    ping({ connection }) {
      heart.ping(connection!);
      return heart.active;
    },
    lonely: (tries) => warn('standby', `${tries} tries, one node`),
    changed: hooks.changed,
  });

  const isOnline = () => env.page.online() || target.loopback;

  function wake(): void {
    dispatch({ type: 'wake' });
  }

  const unixNow = () => env.timeOrigin + env.now();

  /** A connection is being given up: from here on everything belongs to the report. */
  function begin(cause: FailureKind, detectedAfterMs: number): void {
    target.failed(current?.where);
    if (story) return;
    lastHeardAt = current?.heardAt ?? env.now();
    story = newStory(cause, unixNow(), detectedAfterMs, current);
  }

  function warn(kind: WarningKind, message: string, detail?: unknown): void {
    emit('warning', { kind, message, detail });
  }

  function threw(callback: string, error: unknown): void {
    warn('callback', `${callback} threw: ${formatValue(error)}`, error);
  }

  function guard<T>(callback: string, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      threw(callback, error);
      return undefined;
    }
  }

  /** Takes one from the dials' budget for something less urgent, if that leaves a fast lane, or what is to be left. */
  function spare(reserve = policy.fastAttempts): boolean {
    const { memory } = machine;
    const can = canSpare(policy, memory, env.now(), reserve);
    if (can) machine = { ...machine, memory: spendDial(policy, memory, env.now()) };
    return can;
  }

  function dispatch(event: LinkEvent): void {
    const [next, effects] = transition(machine, event, {
      now: env.now(),
      random: env.random(),
      engine,
      freshPath: target.freshPath,
      leaks: leaks.of(target.host),
      rtt: heart.rtt,
      policy,
      online: isOnline(),
      hedge: options.hedge,
      standby: standby.node !== undefined,
      spreadMs: current?.spreadMs ?? 0,
    });
    machine = next;
    for (const effect of effects) {
      run(effect);
      // A listener of the app's may have closed or reconnected: then the rest of this plan is void.
      if (machine.state !== next.state) return;
    }
    standby.look();
    hooks.changed();
    const connection = current;
    for (const event of connection?.held.splice(0) ?? []) frame(connection!, event);
  }

  function run(effect: Effect): void {
    switch (effect.do) {
      case 'wait':
        timer = env.setTimeout(() => dispatch({ type: 'due' }), effect.ms);
        break;
      case 'dial':
        dial(effect);
        break;
      case 'cancel-dial':
        env.clearTimeout(timer);
        probing?.abort();
        cancel();
        break;
      case 'adopt':
        adopt(effect);
        break;
      case 'drop':
        drop(effect.failure);
        break;
      case 'verify':
        if (!current) break;
        heart.ping(current);
        heart.beat();
        break;
      case 'release':
        // Nothing was given up since the story began: there is nothing to tell.
        if (effect.was !== 'draining' && story?.upAfterMs === undefined) story = undefined;
        counts.hedgesCancelled += 1;
        heart.beat();
        hooks.released();
        break;
      case 'probe':
        ask();
        break;
      case 'suspect':
        counts.suspicions += 1;
        begin('silent', effect.silentMs);
        emit('suspect', { silentMs: effect.silentMs });
        break;
      case 'drain':
        begin(effect.failure.kind, 0);
        if (effect.failure.kind === 'drain') emit('drain', { spreadMs: effect.spreadMs });
        break;
      case 'proven':
        tell();
        break;
      case 'close':
        close(effect.code, effect.reason);
        break;
      case 'fail':
        dispose();
        current?.detach();
        current = undefined;
        emit('giveup', effect.error);
        hooks.closed(NO_CLOSE_FRAME);
        env.dispose?.();
        break;
      default:
        effect satisfies never;
    }
  }

  // ── dialling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  function dial({ promote, ...plan }: Extract<Effect, { do: 'dial' }>): void {
    if (promote) {
      const mine = (attempt = standby.take());
      const { waitedMs, deadlineMs } = plan;
      Object.assign(mine, { promoted: true, startedAt: env.now(), waitedMs, deadlineMs });
      mine.due(deadlineMs, 'timeout');
      // It has to answer now, not some time ago.
      mine.connection!.firstHeardAt = undefined;
      return ready(mine);
    }
    // Not warm, or it would have been promoted.
    standby.stop();
    counts.dials += 1;
    const mine = (attempt = start(plan));
    racing = env.setTimeout(() => {
      const other = mine.where && target.askOther(mine.where);
      // Distinct addresses are dialled side by side, since engines serialise handshakes per address only.
      if (!other || !spare()) return;
      counts.dials += 1;
      rival = start({ ...plan, where: other });
    }, RACE_MS);
  }

  /** Open and through its handshake. Beside a connection that still serves it takes over only when it has answered. */
  function ready(mine: Attempt): void {
    if (forgotten.delete(mine)) return mine.end();
    const connection = mine.connection!;
    if (mine === standby.attempt) return connection.parting ? standby.failed() : standby.heard();
    const { name } = machine.state;
    // A node that drains serves until the app's subscriptions are known to have arrived here.
    const gently = name === 'draining' && !options.layer && heart.active;
    const proven = gently
      ? connection.replayed && !connection.asked[0]
      : !heart.active || connection.firstHeardAt !== undefined;
    /** False if a listener has made it another's turn. */
    const lead = (): boolean => {
      const other = mine === rival ? attempt : rival;
      attempt = mine;
      if (other) giveUp(other, 'cancelled');
      return attempt === mine;
    };
    if (name === 'seeking' || proven) {
      if (!lead()) return;
      const tookMs = mine.promoted ? undefined : connection.openedAt! - mine.startedAt;
      dispatch({ type: 'opened', proven, tookMs });
      return drain(connection);
    }
    // Asked already: frames that are no answer neither renew the deadline nor the question.
    if (connection.ping ?? connection.asked[0]) return;
    mine.due(mine.deadlineMs, 'timeout');
    if (gently && !connection.replayed) {
      // One alone is told what the app subscribes to, and of what is added meanwhile.
      if (!lead()) return;
      connection.replayed = true;
      hooks.replay(connection);
    }
    heart.ping(connection, mine.deadlineMs);
  }

  function failed(mine: Attempt, why: Failure): void {
    if (forgotten.delete(mine)) return mine.end();
    if (mine === standby.attempt) return standby.failed();
    // Opened, and silent since.
    if (why.kind === 'timeout' && mine.connection?.openedAt !== undefined) heart.unanswered();
    // Nobody wants it any more: the heartbeat is off, or a listener closed the link.
    if (mine !== attempt && mine !== rival) return mine.end();
    counts.dialFailures += 1;
    target.failed(mine.where);
    const { state } = machine;
    giveUp(mine, why.kind);
    // A listener may have closed or reconnected.
    if (machine.state !== state) return;
    // The race goes on with one.
    attempt ??= rival;
    rival = undefined;
    if (!attempt) dispatch({ type: 'failed', failure: why });
  }

  /** No dial is wanted any more. */
  function cancel(): void {
    if (attempt?.promoted && attempt.connection!.ping) {
      standby.back(attempt);
      record(attempt, 'cancelled');
      attempt = undefined;
    }
    if (attempt) giveUp(attempt, 'cancelled');
    if (rival) giveUp(rival, 'cancelled');
  }

  function giveUp(mine: Attempt, outcome: AttemptReport['outcome']): void {
    if (mine === attempt) attempt = undefined;
    else rival = undefined;
    env.clearTimeout(racing);
    // Where the engine would leak it, one that is not needed may open first: it is only forgotten.
    if (
      outcome !== 'cancelled' ||
      !mine.connection ||
      mine.connection.openedAt ||
      engine.maxAbandons === Infinity
    )
      mine.end();
    else forgotten.add(mine);
    emit('attempt', record(mine, outcome));
  }

  function record(mine: Attempt, outcome: AttemptReport['outcome']): AttemptReport {
    const report = Object.freeze({
      url: redact(mine.where?.url),
      startedAt: env.timeOrigin + mine.startedAt,
      waitedMs: mine.waitedMs,
      durationMs: env.now() - mine.startedAt,
      outcome,
      ...(mine.promoted && { standby: true as const }),
    });
    if (story) addChapter(story.attempts, report);
    return report;
  }

  // ── the current connection ────────────────────────────────────────────────────────────────────────────────────────

  function adopt({ first, handover, leave: gently }: Extract<Effect, { do: 'adopt' }>): void {
    const mine = attempt!;
    const connection = mine.connection!;
    attempt = undefined;
    env.clearTimeout(racing);
    mine.keep();
    target.opened(mine.where!);
    counts.opens += 1;
    if (current) lastHeardAt = current.heardAt;
    const to = gently && options.layer?.leave();
    if (to && current) {
      leave();
      // Bounded, as everything.
      old = { connection: current, to, timer: env.setTimeout(leave, policy.deadlineCapMs) };
      void to.done.then(() => old?.to === to && leave());
    } else retire();
    current = connection;
    const report = record(mine, 'open');
    if (story) story.upAfterMs = unixNow() - story.startedAt;
    const flushed = hooks.adopted(handover);
    if (story) story.queuedFlushed += flushed;
    emit('attempt', report);
    if (current !== connection || finish) return;
    // In the same flight as the replay: its answer proves the connection and everything sent before it.
    heart.ping(connection);
    heart.beat();
    if (!handover) emit('up', { first, node: connection.node });
  }

  /** Nothing more is wanted of the connection before this one. */
  function leave(): void {
    if (!old) return;
    const { connection, to, timer } = old;
    old = undefined;
    env.clearTimeout(timer);
    connection.detach();
    to.left();
  }

  /** The current connection, if any, is no more; what it may not have delivered counts. */
  function retire(): void {
    if (!current) return;
    lastHeardAt = current.heardAt;
    if (story) story.unconfirmedSends += options.layer?.unconfirmed?.() ?? current.sent - current.confirmed;
    current.detach();
    current = undefined;
  }

  function drop(why: Failure): void {
    heart.stop();
    begin(why.kind, why.kind === 'silent' ? env.now() - current!.heardAt : 0);
    retire();
    const end = lastEnd ?? NO_CLOSE_FRAME;
    lastEnd = undefined;
    hooks.lost(end);
    emit('down', why);
    leave();
    // A replacement that was only waiting for its proof is better than nothing.
    if (attempt?.connection?.shaken) ready(attempt);
  }

  function heard(connection: Connection, data: unknown): boolean {
    counts.framesReceived += 1;
    const { node } = connection;
    connection.node ??= guard('identify', () => options.identify?.(data));
    const notice = options.serverNotices ? parseNotice(data) : undefined;
    if (notice?.msg === 'node') {
      connection.node = notice.id;
      connection.spreadMs = notice.spreadMs;
    } else if (notice) connection.parting = notice;
    const own = heart.heard(connection, data);
    if (connection !== current) {
      // Its first frame proves a replacement; it is current before that frame is delivered.
      const mine = [attempt, rival, standby.attempt].find((one) => one?.connection === connection);
      if (mine && connection.shaken) ready(mine);
      if (connection !== current) return own;
    }
    const { state } = machine;
    if (state.name === 'suspect') dispatch({ type: 'alive' });
    else if (state.name === 'online' && state.outage) dispatch({ type: 'proven' });
    drain(connection);
    if (connection.node !== node) {
      standby.look();
      hooks.changed();
    }
    return own;
  }

  /** Leaves a connection in use whose node has said that it goes away, perhaps before it was in use. */
  function drain(connection: Connection): void {
    const { parting } = connection;
    if (!parting) return;
    connection.parting = undefined;
    if (parting.url) target.prefer(parting.url, options.allowedOrigins);
    dispatch({ type: 'drain', failure: failure('drain'), spreadMs: parting.spreadMs });
  }

  function frame(connection: Connection, event: MessageEvent): void {
    if (connection === current) {
      // As in WebSocket: after `close()` nothing is delivered any more.
      if (!finish) hooks.frame(event);
    } else if (connection === old?.connection) old.to.frame(event.data);
    else if (connection.held.push(event) > MAX_HELD && connection === standby.attempt?.connection)
      standby.failed();
  }

  // ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks over HTTP why dials fail, one question at a time, beside the dials and never before them. */
  function ask(): void {
    if (!options.probe || probing || !target.lastUrl || !spare(4)) return;
    const of = story;
    const abort = (probing = new AbortController());
    void probe(target.lastUrl, options.probe, env, abort.signal).then((report) => {
      if (probing === abort) probing = undefined;
      if (!report || of !== story) return;
      if (of) addChapter(of.probes, report);
      emit('probe', report);
      dispatch({ type: 'evidence', evidence: report });
    });
  }

  /** The outage is over. */
  function tell(): void {
    const of = story;
    const on = current!;
    story = undefined;
    if (!of) return;
    of.downMs = Math.max(0, (on.firstHeardAt ?? env.now()) - lastHeardAt);
    void hooks.replayed().then((replayed) => {
      of.replayMs = unixNow() - of.startedAt - of.upAfterMs;
      of.replayed = replayed;
      if (on.node !== undefined) of.toNode = on.node;
      Object.freeze(of.attempts);
      Object.freeze(of.probes);
      const report: FailoverReport = Object.freeze(of);
      counts.failovers += 1;
      env.measure('failover', of.startedAt - env.timeOrigin, env.now(), report);
      emit('failover', report);
    });
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  function close(code: number, reason: string): void {
    dispose();
    finish = (end) => {
      finish = undefined;
      env.clearTimeout(timer);
      current?.detach();
      current = undefined;
      hooks.closed(end);
      env.dispose?.();
    };
    // As a WebSocket closed before it was open, or whose peer does not answer: no close frame was exchanged.
    timer = env.setTimeout(() => finish?.(NO_CLOSE_FRAME), current ? CLOSE_LINGER_MS : 0);
    current?.socket.close(code, reason);
  }

  /** Connections that are none of the app's yet. */
  function endOthers(): void {
    standby.stop();
    for (const one of forgotten) one.end();
    forgotten.clear();
  }

  function dispose(): void {
    heart.stop();
    leave();
    endOthers();
    probing?.abort();
    dialler.dispose();
    for (const off of unlisten) off();
  }

  return {
    state: () => machine.state,
    current: () => current,
    standby: () => standby.node,
    handingOver: () => !!attempt?.connection?.replayed,
    usable: () =>
      current !== undefined && (machine.state.name === 'online' || machine.state.name === 'draining'),
    stats: () => ({ ...counts, ...heart.stats() }),
    guard,
    start: () => dispatch({ type: 'start' }),
    send(frame) {
      counts.framesSent += 1;
      current!.send(frame);
      heart.sent(current!);
    },
    reconnect: () => dispatch({ type: 'reconnect', failure: failure('manual') }),
    close: (code, reason) => dispatch({ type: 'close', code, reason }),
  };
}
