import { Connection, type ConnectionEnd } from './connection.ts';
import { engineOf, type Engine } from './engine.ts';
import type { PageEvent } from './env.ts';
import { FailoverError, isFailoverError, show } from './errors.ts';
import type { FailoverEvents, Stats, WarningKind } from './events.ts';
import { classifyClose, type Failure, type FailureKind } from './failure.ts';
import { judge, observeRtt, overdueAfter, quietMs, type Rtt } from './liveness.ts';
import { parseNotice } from './notices.ts';
import type { Frame, Heartbeat, ResolvedOptions } from './options.ts';
import type { Outage } from './policy.ts';
import { ADVICE, probe } from './probe.ts';
import type { AttemptReport } from './report.ts';
import { Dialler } from './socket.ts';
import { newMachine, transition, type Effect, type LinkEvent, type Machine, type State } from './state.ts';
import { Story } from './story.ts';
import { redact, type Target } from './target.ts';

/** What the link tells its owner. */
export interface LinkHooks {
  /** `connection` is current now: replay, dispatch `open`, flush. Returns how many queued frames went. */
  adopted(connection: Connection): number;
  /** A frame from the current connection. */
  frame(event: MessageEvent): void;
  /** Frames held back while the link was suspect may go out. */
  released(): void;
  /** A connection the app has used is gone, and the link goes on. */
  lost(end: Omit<ConnectionEnd, 'opened'>): void;
  /** It will not dial again. */
  closed(end: Omit<ConnectionEnd, 'opened'>): void;
  /** Something in `state` changed. */
  changed(): void;
  emit<E extends keyof FailoverEvents>(event: E, ...args: FailoverEvents[E]): void;
  /** Resolves when everything is replayed, and says how much that was. */
  replayed(): Promise<number>;
}

/** A timer that fires so much later than planned tells of a blocked page or a sleeping device, not of the peer. */
const LATE_MS = 100;

/** How long `close()` waits for the peer's close frame. Engines wait 5 to 90 s on a dead path. */
const CLOSE_LINGER_MS = 1_000;

/** A heartbeat that two connections in a row never answered, and none ever did, is taken for a server without one. */
const UNANSWERED_LIMIT = 2;

/** A dial under way: first its URL, then its socket. */
interface Attempt {
  readonly number: number;
  readonly startedAt: number;
  readonly waitedMs: number;
  readonly deadlineMs: number;
  readonly abort: AbortController;
  connection: Connection | undefined;
  /** Frames that came before it became current. */
  readonly held: MessageEvent[];
  url: string;
}

/** The shell around the pure machine: owns sockets and timers, runs effects, turns what happens into events. */
export class Link {
  current: Connection | undefined;
  readonly #options: ResolvedOptions;
  readonly #target: Target;
  readonly #hooks: LinkHooks;
  readonly #engine: Engine;
  readonly #dialler: Dialler;
  readonly #unlisten: (() => void)[];
  #machine: Machine;
  #attempt: Attempt | undefined;
  #story: Story | undefined;
  #heartbeat: Heartbeat | false;
  #rtt: Rtt | undefined;
  #answered = false;
  #unanswered = 0;
  #touchedAt: number;
  #probing: AbortController | undefined;
  /** How the current connection ended, for the `close` event. */
  #end: Omit<ConnectionEnd, 'opened'> | undefined;
  /** Ends the wait for the peer's close frame; set from `close()` on. */
  #finish: ((end: Omit<ConnectionEnd, 'opened'>) => void) | undefined;
  #timers: { dial?: unknown; pulse?: unknown; linger?: unknown } = {};
  #counts = { dials: 0, dialFailures: 0, opens: 0, failovers: 0, suspicions: 0, hedgesCancelled: 0 };
  #traffic = { framesSent: 0, framesReceived: 0, pingsSent: 0 };

  constructor(options: ResolvedOptions, target: Target, hooks: LinkHooks) {
    const { env } = options;
    this.#options = options;
    this.#target = target;
    this.#hooks = hooks;
    this.#engine = engineOf(env.userAgent);
    this.#dialler = new Dialler(env);
    this.#heartbeat = options.heartbeat;
    this.#touchedAt = env.now();
    this.#machine = newMachine(options.policy, env.now());
    const on: [PageEvent, () => void][] = [
      ['online', () => this.#dispatch({ type: 'wake' })],
      ['visible', () => this.#touched(true)],
      ['resume', () => this.#dispatch({ type: 'wake' })],
      ['active', () => this.#touched(false)],
      ['offline', () => this.#dispatch({ type: 'offline' })],
      ['restored', () => this.#dispatch({ type: 'lost', failure: failure('suspended', 'back/forward cache') })],
    ];
    this.#unlisten = on.map(([event, fn]) => env.page.on(event, fn));
  }

  get state(): State {
    return this.#machine.state;
  }

  /** May the app's frames go out on the current connection? Held back while it is suspect. */
  get usable(): boolean {
    const { name } = this.state;
    return this.current !== undefined && (name === 'online' || name === 'draining');
  }

  get stats(): Omit<Stats, 'queuedMessages' | 'queuedBytes'> {
    return { ...this.#counts, ...this.#traffic, rttMs: this.#rtt?.smoothed, rttVarMs: this.#rtt?.variance };
  }

  start(): void {
    this.#dispatch({ type: 'start' });
  }

  send(frame: Frame): void {
    this.#traffic.framesSent += 1;
    this.current!.send(frame);
  }

  reconnect(): void {
    this.#dispatch({ type: 'reconnect', failure: failure('manual') });
  }

  close(code: number, reason: string): void {
    this.#dispatch({ type: 'close', code, reason });
  }

  #dispatch(event: LinkEvent): void {
    const { env, policy, hedge } = this.#options;
    const [machine, effects] = transition(this.#machine, event, {
      now: env.now(),
      random: env.random(),
      engine: this.#engine,
      freshPath: this.#target.freshPath,
      policy,
      online: env.page.online() || this.#target.loopback,
      hedge,
      exhausted: (outage) => exhausted(outage),
    });
    this.#machine = machine;
    for (const effect of effects) {
      this.#run(effect);
      // A listener of the app's may have closed or reconnected: then the rest of this plan is void.
      if (this.#machine !== machine) return;
    }
    this.#hooks.changed();
  }

  #run(effect: Effect): void {
    const { env } = this.#options;
    switch (effect.do) {
      case 'wait':
        this.#timers.dial = env.setTimeout(() => this.#dispatch({ type: 'due' }), effect.ms);
        return;
      case 'dial':
        return this.#dial(effect.attempt, effect.deadlineMs, effect.waitedMs);
      case 'cancel-dial':
        return this.#cancelDial();
      case 'adopt':
        return this.#adopt(effect.first, effect.handover);
      case 'drop':
        return this.#drop(effect.failure);
      case 'verify':
        return this.#verify();
      case 'release':
        this.#story = undefined;
        this.#counts.hedgesCancelled += 1;
        this.#armPulse();
        return this.#hooks.released();
      case 'probe':
        return this.#probe();
      case 'suspect':
        this.#counts.suspicions += 1;
        this.#story ??= new Story(failure('silent'), env.now(), effect.silentMs, this.current);
        return this.#hooks.emit('suspect', { silentMs: effect.silentMs });
      case 'drain':
        this.#story = new Story(failure('drain'), env.now(), 0, this.current);
        return this.#hooks.emit('drain', { spreadMs: effect.spreadMs });
      case 'proven':
        return this.#tell();
      case 'close':
        return this.#close(effect.code, effect.reason);
      case 'fail':
        return this.#fail(effect.error);
      default:
        effect satisfies never;
    }
  }

  // ── dialling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #dial(number: number, deadlineMs: number, waitedMs: number): void {
    const { env } = this.#options;
    const abort = new AbortController();
    const attempt: Attempt = {
      number,
      startedAt: env.now(),
      waitedMs,
      deadlineMs,
      abort,
      connection: undefined,
      held: [],
      url: '',
    };
    this.#attempt = attempt;
    this.#counts.dials += 1;
    const context = { attempt: number, cause: this.#cause(), signal: abort.signal };
    const connect = (url: string, protocols: string | string[] | undefined) => {
      if (this.#attempt === attempt) this.#connect(attempt, url, protocols);
    };
    const asked = this.#target.ask(context);
    if (!(asked instanceof Promise)) return connect(asked.url, asked.protocols);
    // Nothing hangs for ever, a provider included.
    this.#armDeadline(attempt, this.#options.policy.deadlineCapMs, 'provider');
    asked.then(
      ({ url, protocols }) => connect(url, protocols),
      (error: unknown) => {
        if (this.#attempt !== attempt) return;
        if (context.cause === 'unauthorized') {
          const text = 'the URL or protocol provider ended the link after an authorisation failure';
          this.#dispatch({ type: 'end', error: new FailoverError('unauthorized', text, { cause: error }) });
          return;
        }
        this.#warn('callback', `URL or protocol provider failed: ${show(error)}`, error);
        this.#attemptFailed(attempt, failure('provider', show(error)), false);
      },
    );
  }

  #connect(attempt: Attempt, url: string, protocols: string | string[] | undefined): void {
    attempt.url = url;
    this.#armDeadline(attempt, attempt.deadlineMs, 'timeout');
    const connection = new Connection(this.#dialler, url, protocols, this.#options, {
      opened: () => {
        // A login may ask another server; only the dial itself is known to be quick.
        if (this.#options.handshake) this.#armDeadline(attempt, this.#options.policy.deadlineCapMs, 'handshake');
      },
      ready: () => this.#ready(attempt),
      heard: (data) => this.#heard(connection, data),
      frame: (event) => this.#frame(connection, attempt, event),
      ended: (end) => this.#ended(connection, attempt, end),
    });
    attempt.connection = connection;
  }

  /** The dialled connection is open and through its handshake. */
  #ready(attempt: Attempt): void {
    const connection = attempt.connection!;
    const beat = this.#message();
    if (this.state.name === 'seeking' || beat === undefined || connection.firstHeardAt !== undefined) {
      const proven = beat === undefined || connection.firstHeardAt !== undefined;
      this.#dispatch({ type: 'opened', proven });
      return;
    }
    // The old connection still serves: this one takes over only when it has answered.
    this.#armDeadline(attempt, attempt.deadlineMs, 'timeout');
    this.#ping(connection, beat, attempt.deadlineMs);
  }

  #ended(connection: Connection, attempt: Attempt, end: ConnectionEnd): void {
    const why =
      end.error === undefined
        ? classifyClose(end.opened ? 'open' : 'dialling', end.code, end.reason)
        : { ...classifyThrown(end.opened, end.error), code: end.code };
    if (connection === this.current) {
      if (this.#finish) return this.#finish(end);
      this.#end = end;
      this.#dispatch({ type: 'lost', failure: why });
    } else if (this.#attempt === attempt) this.#attemptFailed(attempt, why, false);
  }

  #attemptFailed(attempt: Attempt, why: Failure, abandoned: boolean): void {
    this.#counts.dialFailures += 1;
    this.#forget(attempt, why.kind);
    if (why.kind === 'refused' || why.kind === 'timeout') this.#target.failed();
    this.#dispatch({ type: 'failed', failure: why, abandoned });
  }

  #cancelDial(): void {
    this.#clear('dial');
    this.#probing?.abort();
    if (this.#attempt) this.#forget(this.#attempt, 'cancelled');
  }

  /** The attempt came to nothing. */
  #forget(attempt: Attempt, outcome: AttemptReport['outcome']): void {
    this.#attempt = undefined;
    this.#clear('dial');
    attempt.abort.abort();
    attempt.connection?.detach();
    this.#hooks.emit('attempt', this.#record(attempt, outcome));
  }

  #record(attempt: Attempt, outcome: AttemptReport['outcome']): AttemptReport {
    const { env } = this.#options;
    const report = Object.freeze({
      url: redact(attempt.url),
      startedAt: env.timeOrigin + attempt.startedAt,
      waitedMs: attempt.waitedMs,
      durationMs: env.now() - attempt.startedAt,
      outcome,
    });
    this.#story?.addAttempt(report);
    return report;
  }

  #armDeadline(attempt: Attempt, ms: number, kind: FailureKind): void {
    this.#clear('dial');
    this.#timers.dial = this.#options.env.setTimeout(() => {
      const { connection } = attempt;
      if (connection?.openedAt !== undefined && kind === 'timeout') this.#countUnanswered();
      // Abandoned: a socket that was given up while its handshake hung. Firefox leaks those.
      const abandoned = connection !== undefined && connection.openedAt === undefined;
      if (this.#attempt === attempt) this.#attemptFailed(attempt, failure(kind), abandoned);
    }, ms);
  }

  // ── the current connection ────────────────────────────────────────────────────────────────────────────────────────

  #adopt(first: boolean, handover: boolean): void {
    const { env } = this.#options;
    const attempt = this.#attempt!;
    const connection = attempt.connection!;
    const old = this.current;
    this.current = connection;
    this.#counts.opens += 1;
    if (old) {
      this.#story?.lose(old);
      old.detach();
    }
    this.#attempt = undefined;
    this.#clear('dial');
    const report = this.#record(attempt, 'open');
    if (this.#story) this.#story.upAt = env.now();
    const flushed = this.#hooks.adopted(connection);
    if (this.#story) this.#story.queuedFlushed += flushed;
    for (const event of attempt.held) if (this.current === connection) this.#hooks.frame(event);
    this.#hooks.emit('attempt', report);
    if (this.current !== connection) return;
    const beat = this.#message();
    // In the same flight as the replay: its answer proves the connection and everything sent before it.
    if (beat !== undefined && !connection.life.ping) this.#ping(connection, beat, this.#overdueMs());
    this.#armPulse();
    if (!handover) this.#hooks.emit('up', { first, node: connection.node });
  }

  #drop(why: Failure): void {
    const { env } = this.#options;
    const old = this.current;
    this.#clear('pulse');
    this.current = undefined;
    const silence = why.kind === 'silent' && old ? env.now() - old.life.heardAt : 0;
    this.#story ??= new Story(why, env.now(), silence, old);
    if (old) {
      this.#story.lose(old);
      old.detach();
    }
    const end = this.#end ?? { code: why.code || 1006, reason: why.reason, wasClean: false };
    this.#end = undefined;
    this.#hooks.lost(end);
    this.#hooks.emit('down', why);
  }

  #heard(connection: Connection, data: unknown): void {
    this.#traffic.framesReceived += 1;
    const { identify, serverNotices } = this.#options;
    if (connection.node === undefined && identify) {
      try {
        connection.node = identify(data);
      } catch (error) {
        this.#warn('callback', `identify threw: ${show(error)}`, error);
      }
    }
    const notice = serverNotices ? parseNotice(data) : undefined;
    if (notice?.msg === 'node') {
      connection.node = notice.id;
      this.#hooks.changed();
    }
    this.#pong(connection, data);
    if (connection === this.current) {
      if (this.state.name === 'suspect') this.#dispatch({ type: 'alive' });
      else if (this.state.name === 'online' && this.state.outage) this.#dispatch({ type: 'proven' });
      if (notice?.msg === 'drain' && connection === this.current) {
        this.#dispatch({ type: 'drain', failure: failure('drain'), spreadMs: notice.spreadMs });
      }
    }
  }

  #pong(connection: Connection, data: unknown): void {
    if (!connection.life.ping) return;
    this.#answered = true;
    if (this.#isReply(data)) {
      const sample = connection.pong();
      if (sample !== undefined) this.#rtt = observeRtt(this.#rtt, sample);
    } else {
      // Life, though not the answer: the ping is no longer overdue, and the next silence gets a new one.
      connection.life = { heardAt: connection.life.heardAt, ping: undefined };
    }
    if (connection === this.current) this.#armPulse();
  }

  #frame(connection: Connection, attempt: Attempt, event: MessageEvent): void {
    if (connection === this.current) {
      // As in WebSocket: after `close()` nothing is delivered any more.
      if (!this.#finish && !this.#isOwnReply(event.data)) this.#hooks.frame(event);
    } else if (this.#attempt === attempt) {
      if (!this.#isOwnReply(event.data)) attempt.held.push(event);
      // Its first frame proves a replacement.
      this.#ready(attempt);
    }
  }

  // ── liveness ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The active heartbeat's message, if there is one. */
  #message(): Frame | undefined {
    if (!this.#heartbeat || !('message' in this.#heartbeat)) return undefined;
    const { message } = this.#heartbeat;
    return typeof message === 'function' ? message() : message;
  }

  #isReply(data: unknown): boolean {
    const isReply = this.#heartbeat && 'isReply' in this.#heartbeat ? this.#heartbeat.isReply : undefined;
    return isReply ? isReply(data) : true;
  }

  /** A frame that only answers our ping is none of the app's. */
  #isOwnReply(data: unknown): boolean {
    return !!this.#heartbeat && 'isReply' in this.#heartbeat && !!this.#heartbeat.isReply?.(data);
  }

  #overdueMs(): number {
    const { replyFloorMs, replyCapMs } = this.#options.policy;
    return overdueAfter(this.#rtt, replyFloorMs, replyCapMs);
  }

  #ping(connection: Connection, message: Frame, overdueMs: number): void {
    this.#traffic.pingsSent += 1;
    connection.ping(message, overdueMs);
  }

  #verify(): void {
    const message = this.#message();
    if (!this.current || this.current.life.ping || message === undefined) return;
    this.#ping(this.current, message, this.#overdueMs());
    this.#armPulse();
  }

  #touched(wake: boolean): void {
    const { env, policy } = this.#options;
    const wasIdle = env.now() - this.#touchedAt >= policy.idleAfterMs;
    this.#touchedAt = env.now();
    if (wake || wasIdle) this.#dispatch({ type: 'wake' });
  }

  /** Looks at the current connection's life and comes back when there is something to do. One timer, not one per frame. */
  #armPulse(): void {
    this.#clear('pulse');
    const { current } = this;
    if (!current) return;
    const { env, policy } = this.#options;
    const now = env.now();
    const quiet = quietMs(policy, { visible: env.page.visible(), untouchedMs: now - this.#touchedAt });
    const verdict = judge(current.life, this.#heartbeat, quiet, now);
    switch (verdict.do) {
      case 'nothing':
        return;
      case 'wait':
        this.#timers.pulse = env.setTimeout(() => this.#pulse(verdict.until), verdict.until - now);
        return;
      case 'ping':
        this.#ping(current, this.#message()!, this.#overdueMs());
        return this.#armPulse();
      case 'suspect':
        return this.#suspect(current);
      default:
        verdict satisfies never;
    }
  }

  #pulse(plannedFor: number): void {
    const { env } = this.#options;
    const { current } = this;
    if (current?.life.ping && env.now() - plannedFor > LATE_MS) {
      current.life = { ...current.life, ping: undefined };
      this.#verify();
      return;
    }
    this.#armPulse();
  }

  #suspect(current: Connection): void {
    if (!this.#answered) this.#countUnanswered();
    if (!this.#heartbeat) return;
    const silentMs = this.#options.env.now() - current.life.heardAt;
    this.#dispatch({ type: 'silent', failure: failure('silent'), silentMs });
  }

  /** A server that never answers is taken at its word instead of being hedged for ever. */
  #countUnanswered(): void {
    if (this.#answered || !this.#heartbeat || ++this.#unanswered < UNANSWERED_LIMIT) return;
    this.#heartbeat = false;
    this.#warn('heartbeat-unanswered', 'no heartbeat was ever answered: switched off, a hang is now invisible');
    if (this.current) this.current.life = { ...this.current.life, ping: undefined };
    this.#dispatch({ type: 'alive' });
  }

  // ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #probe(): void {
    const { env, probe: options } = this.#options;
    const story = this.#story;
    const url = this.#target.lastUrl;
    if (!options || this.#probing || url === undefined) return;
    const abort = new AbortController();
    this.#probing = abort;
    void probe(url, options, env, abort.signal).then((report) => {
      if (this.#probing === abort) this.#probing = undefined;
      if (!report) return;
      story?.addProbe(report);
      this.#warn('probe', `${report.status ?? report.verdict}: ${ADVICE[report.verdict]}`, report);
    });
  }

  /** The outage is over. */
  #tell(): void {
    const { env } = this.#options;
    const story = this.#story;
    const current = this.current!;
    this.#story = undefined;
    if (!story) return;
    void this.#hooks.replayed().then((replayed) => {
      const report = story.tell(current, env.now(), replayed, env.timeOrigin);
      this.#counts.failovers += 1;
      env.measure('failover', story.startedAt, env.now(), report);
      this.#hooks.emit('failover', report);
    });
  }

  #cause(): FailureKind | undefined {
    const { state } = this;
    return 'outage' in state ? (state.outage?.last ?? state.outage?.cause)?.kind : undefined;
  }

  #warn(kind: WarningKind, message: string, detail?: unknown): void {
    this.#hooks.emit('warning', { kind, message, detail });
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #close(code: number, reason: string): void {
    const { env } = this.#options;
    this.#dispose();
    const { current } = this;
    const done = (end: Omit<ConnectionEnd, 'opened'>) => {
      this.#clear('linger');
      this.current = undefined;
      current?.detach();
      this.#hooks.closed(end);
    };
    if (current) {
      this.#finish = done;
      this.#timers.linger = env.setTimeout(() => done({ code: 1006, reason: '', wasClean: false }), CLOSE_LINGER_MS);
      current.close(code, reason);
    } else {
      // As a WebSocket closed before it was open: no close frame was exchanged.
      this.#timers.linger = env.setTimeout(() => done({ code: 1006, reason: '', wasClean: false }), 0);
    }
  }

  #fail(error: FailoverError): void {
    this.#dispose();
    this.current?.detach();
    this.current = undefined;
    this.#hooks.emit('giveup', error);
    this.#hooks.closed({ code: 1006, reason: error.message, wasClean: false, error });
  }

  #dispose(): void {
    this.#clear('pulse');
    this.#probing?.abort();
    this.#dialler.dispose();
    for (const off of this.#unlisten.splice(0)) off();
  }

  #clear(timer: 'dial' | 'pulse' | 'linger'): void {
    this.#options.env.clearTimeout(this.#timers[timer]);
    this.#timers[timer] = undefined;
  }
}

const failure = (kind: FailureKind, reason = ''): Failure => ({ kind, code: 0, reason });

/** A handshake that throws a FailoverError `unauthorized` asks for fresh credentials. */
const classifyThrown = (opened: boolean, error: unknown): Failure =>
  failure(
    !opened ? 'refused' : isFailoverError(error) && error.kind === 'unauthorized' ? 'unauthorized' : 'handshake',
    show(error),
  );

const exhausted = ({ attempts, last }: Outage): FailoverError =>
  new FailoverError('exhausted', `policy.maxAttempts: ${attempts} dials failed, the last one: ${last?.kind}`);
