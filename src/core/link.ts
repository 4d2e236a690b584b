import { connect, type Connection, type ConnectionEnd } from './connection.ts';
import { engineOf } from './engine.ts';
import { FailoverError, isFailoverError, show } from './errors.ts';
import type { FailoverEvents, Stats, WarningKind } from './events.ts';
import { classifyClose, type Failure, type FailureKind } from './failure.ts';
import { createHeart } from './heart.ts';
import { parseNotice } from './notices.ts';
import type { Frame, ResolvedOptions } from './options.ts';
import { probe } from './probe.ts';
import type { AttemptReport, FailoverReport } from './report.ts';
import { createDialler, type Socket } from './socket.ts';
import { newMachine, transition, type Effect, type LinkEvent, type State } from './state.ts';
import { addChapter, newStory, type Story } from './story.ts';
import { redact, type Target, type Where } from './target.ts';

/** What the link tells its owner. */
export interface LinkHooks {
  /** A socket is under way. */
  dialled(socket: Socket): void;
  /** There is a new current connection: replay, dispatch `open`, flush. Returns how many queued frames went. */
  adopted(): number;
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

/** A dial under way: first its address, then its socket. */
interface Attempt {
  readonly startedAt: number;
  readonly waitedMs: number;
  readonly deadlineMs: number;
  readonly abort: AbortController;
  where: Where | undefined;
  connection: Connection | undefined;
}

/** The shell around the pure machine: owns sockets and timers, runs effects, turns what happens into events. */
export function createLink(options: ResolvedOptions, target: Target, hooks: LinkHooks): Link {
  const { env, policy } = options;
  const { emit } = hooks;
  const engine = engineOf(env.userAgent);
  const dialler = createDialler(env);
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
  let story: Story | undefined;
  let probing: AbortController | undefined;
  /** Pacing, then the deadline of the dial; never both. */
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
      warn('heartbeat-unanswered', 'never answered: switched off');
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
    env.page.on('restored', () => dispatch({ type: 'lost', failure: failure('suspended') })),
  ];

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
    warn('callback', `${callback} threw: ${show(error)}`, error);
  }

  function guard<T>(callback: string, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      threw(callback, error);
      return undefined;
    }
  }

  function dispatch(event: LinkEvent): void {
    const [next, effects] = transition(machine, event, {
      now: env.now(),
      random: env.random(),
      engine,
      freshPath: target.freshPath,
      policy,
      online: env.page.online() || target.loopback,
      hedge: options.hedge,
    });
    machine = next;
    for (const effect of effects) {
      run(effect);
      // A listener of the app's may have closed or reconnected: then the rest of this plan is void.
      if (machine !== next) return;
    }
    hooks.changed();
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
        if (attempt) giveUp(attempt, 'cancelled');
        break;
      case 'adopt':
        adopt(effect.first, effect.handover);
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
        break;
      default:
        effect satisfies never;
    }
  }

  // ── dialling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  function dial({ attempt: number, cause, deadlineMs, waitedMs }: Extract<Effect, { do: 'dial' }>): void {
    const abort = new AbortController();
    const mine: Attempt = {
      startedAt: env.now(),
      waitedMs,
      deadlineMs,
      abort,
      where: undefined,
      connection: undefined,
    };
    attempt = mine;
    counts.dials += 1;
    const asked = target.ask({ attempt: number, cause, signal: abort.signal });
    if (!(asked instanceof Promise)) return connectTo(mine, asked);
    // Nothing hangs for ever, a provider included.
    deadline(mine, policy.deadlineCapMs, 'provider');
    asked.then(
      (where) => connectTo(mine, where),
      (error: unknown) => {
        if (attempt !== mine) return;
        if (cause === 'unauthorized') {
          const refused = new FailoverError('unauthorized', `provider: ${show(error)}`, { cause: error });
          dispatch({ type: 'end', error: refused });
          return;
        }
        threw('provider', error);
        attemptFailed(mine, failure('provider', show(error)));
      },
    );
  }

  function connectTo(mine: Attempt, where: Where): void {
    if (attempt !== mine) return;
    mine.where = where;
    deadline(mine, mine.deadlineMs, 'timeout');
    const connection = connect(dialler, where, options, {
      opened() {
        // A login may ask another server; only the dial itself is known to be quick.
        if (options.handshake) deadline(mine, policy.deadlineCapMs, 'handshake');
      },
      ready: () => ready(mine, connection),
      heard: (data) => heard(connection, data),
      frame(event) {
        if (connection === current) {
          // As in WebSocket: after `close()` nothing is delivered any more.
          if (!finish) hooks.frame(event);
        }
      },
      ended(end) {
        if (connection === current) {
          if (finish) return finish(end);
          lastEnd = end;
          dispatch({ type: 'lost', failure: classify(connection, end) });
        } else if (attempt === mine) attemptFailed(mine, classify(connection, end));
      },
    });
    mine.connection = connection;
    hooks.dialled(connection.socket);
  }

  /** Open and through its handshake. Beside a connection that still serves it takes over only when it has answered. */
  function ready(mine: Attempt, connection: Connection): void {
    const proven = !heart.active || connection.firstHeardAt !== undefined;
    if (proven || machine.state.name === 'seeking') {
      dispatch({ type: 'opened', proven });
      return;
    }
    deadline(mine, mine.deadlineMs, 'timeout');
    heart.ping(connection, mine.deadlineMs);
  }

  function attemptFailed(mine: Attempt, why: Failure, abandoned = false): void {
    counts.dialFailures += 1;
    target.failed(mine.where);
    giveUp(mine, why.kind);
    const hung = mine.connection !== undefined && env.now() - mine.startedAt >= engine.openTimeoutMs;
    dispatch({ type: 'failed', failure: why, abandoned: abandoned || hung });
  }

  function giveUp(mine: Attempt, outcome: AttemptReport['outcome']): void {
    attempt = undefined;
    env.clearTimeout(timer);
    mine.abort.abort();
    mine.connection?.detach();
    emit('attempt', record(mine, outcome));
  }

  function record(mine: Attempt, outcome: AttemptReport['outcome']): AttemptReport {
    const report = Object.freeze({
      url: redact(mine.where?.url),
      startedAt: env.timeOrigin + mine.startedAt,
      waitedMs: mine.waitedMs,
      durationMs: env.now() - mine.startedAt,
      outcome,
    });
    if (story) addChapter(story.attempts, report);
    return report;
  }

  function deadline(mine: Attempt, ms: number, kind: FailureKind): void {
    // A provider that is asked may close the link.
    if (attempt !== mine) return;
    env.clearTimeout(timer);
    timer = env.setTimeout(() => {
      const { connection } = mine;
      const opened = connection?.openedAt !== undefined;
      if (opened && kind === 'timeout') heart.unanswered();
      // Firefox leaks the sockets that were given up while their handshake hung.
      if (attempt === mine) attemptFailed(mine, failure(kind), connection !== undefined && !opened);
    }, ms);
  }

  // ── the current connection ────────────────────────────────────────────────────────────────────────────────────────

  function adopt(first: boolean, handover: boolean): void {
    const mine = attempt!;
    const connection = mine.connection!;
    attempt = undefined;
    env.clearTimeout(timer);
    counts.opens += 1;
    retire();
    current = connection;
    const report = record(mine, 'open');
    if (story) story.upAfterMs = unixNow() - story.startedAt;
    const flushed = hooks.adopted();
    if (story) story.queuedFlushed += flushed;
    emit('attempt', report);
    if (current !== connection || finish) return;
    // In the same flight as the replay: its answer proves the connection and everything sent before it.
    heart.ping(connection);
    heart.beat();
    if (!handover) emit('up', { first, node: connection.node });
  }

  /** The current connection, if any, is no more; what it may not have delivered counts. */
  function retire(): void {
    if (!current) return;
    lastHeardAt = current.heardAt;
    if (story) story.unconfirmedSends += current.sent - current.confirmed;
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
  }

  function heard(connection: Connection, data: unknown): boolean {
    counts.framesReceived += 1;
    const { node } = connection;
    if (node === undefined) {
      connection.node = guard('identify', () => options.identify?.(data));
    }
    const notice = options.serverNotices ? parseNotice(data) : undefined;
    if (notice?.msg === 'node') connection.node = notice.id;
    const own = heart.heard(connection, data);
    if (connection !== current) {
      // Its first frame proves a replacement; it is current before that frame is delivered.
      const mine = attempt;
      if (mine && mine.connection === connection && connection.shaken) ready(mine, connection);
      if (connection !== current) return own;
    }
    const { state } = machine;
    if (state.name === 'suspect') dispatch({ type: 'alive' });
    else if (state.name === 'online' && state.outage) dispatch({ type: 'proven' });
    if (notice?.msg === 'drain')
      dispatch({ type: 'drain', failure: failure('drain'), spreadMs: notice.spreadMs });
    if (connection.node !== node) hooks.changed();
    return own;
  }

  // ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks over HTTP why dials fail, one question at a time, beside the dials and never before them. */
  function ask(): void {
    if (!options.probe || probing || !target.lastUrl) return;
    const of = story;
    const abort = (probing = new AbortController());
    void probe(target.lastUrl, options.probe, env, abort.signal).then(
      (report) => {
        if (probing === abort) probing = undefined;
        if (report && of && of === story) addChapter(of.probes, report);
      },
      (error: unknown) => threw('probe', error),
    );
  }

  /** The outage is over. */
  function tell(): void {
    const of = story;
    const on = current!;
    story = undefined;
    if (!of) return;
    of.downMs = Math.max(0, (on.firstHeardAt ?? on.openedAt!) - lastHeardAt);
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
    };
    // As a WebSocket closed before it was open, or whose peer does not answer: no close frame was exchanged.
    timer = env.setTimeout(() => finish?.(NO_CLOSE_FRAME), current ? CLOSE_LINGER_MS : 0);
    current?.socket.close(code, reason);
  }

  function dispose(): void {
    heart.stop();
    probing?.abort();
    dialler.dispose();
    for (const off of unlisten) off();
  }

  return {
    state: () => machine.state,
    current: () => current,
    usable: () =>
      current !== undefined && (machine.state.name === 'online' || machine.state.name === 'draining'),
    stats: () => ({ ...counts, ...heart.stats() }),
    guard,
    start: () => dispatch({ type: 'start' }),
    send(frame) {
      counts.framesSent += 1;
      current!.send(frame);
    },
    reconnect: () => dispatch({ type: 'reconnect', failure: failure('manual') }),
    close: (code, reason) => dispatch({ type: 'close', code, reason }),
  };
}

const failure = (kind: FailureKind, reason = ''): Failure => ({ kind, code: 0, reason });

function classify({ openedAt }: Connection, { code, reason, error }: ConnectionEnd): Failure {
  const opened = openedAt !== undefined;
  if (error === undefined) return classifyClose(opened ? 'open' : 'dialling', code, reason);
  // A handshake that throws a FailoverError `unauthorized` asks for fresh credentials.
  const refused = isFailoverError(error) && error.kind === 'unauthorized';
  return failure(!opened ? 'refused' : refused ? 'unauthorized' : 'handshake', show(error));
}
