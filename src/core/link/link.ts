import { formatValue } from '../../shared/format-value.ts';
import { FailoverError } from '../api/errors.ts';
import type { FailoverEvents, Stats } from '../api/events.ts';
import { failure, type Failure, type FailureKind } from '../api/failure.ts';
import type { Frame } from '../api/frame.ts';
import type { ResolvedOptions } from '../api/options.ts';
import { createAbandonedHandshakes, type AbandonedHandshakes } from '../env/abandoned-handshakes.ts';
import { engineOf, type Engine } from '../env/engines.ts';
import {
  classify,
  closeDetailsOf,
  NO_CLOSE_FRAME,
  type CloseDetails,
  type ConnectionEnd,
} from '../rules/classify.ts';
import {
  newMachine,
  takeSpareDial,
  transition,
  type Effect,
  type LinkEvent,
  type Machine,
  type State,
} from '../rules/machine.ts';
import { createAttempts, type Attempt } from './attempt.ts';
import type { Connection } from './connection.ts';
import type { Driver } from './driver.ts';
import type { Endpoints } from './endpoints.ts';
import { createHeartbeatMonitor, type HeartbeatMonitor } from './heartbeat.ts';
import { createInbound, type Inbound } from './inbound.ts';
import { listenToPage } from './page-events.ts';
import { createProber, type Prober } from './probe.ts';
import { createRace, type Race } from './race.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import { createServing, type Serving } from './serving.ts';
import { createDialler, type Dialler, type Socket } from './socket.ts';
import { createStandby, type Standby } from './standby.ts';
import { createWarnings, type Warnings } from './warnings.ts';

/** What the link tells its owner. */
export interface LinkHooks {
  /** A socket is under way. */
  dialled(socket: Socket): void;
  /** Send on a connection that is not in use yet what the app has subscribed to. */
  replay(connection: Connection): void;
  /** A connection is in use now: replay, dispatch `open`, flush. Returns how many queued frames went out. */
  adopted(handover: boolean): number;
  /** A frame from the connection in use. */
  frame(event: MessageEvent): void;
  /** Frames held back while the link was suspect may go out. */
  released(): void;
  /** A connection the app has used is gone, and the link goes on. */
  lost(end: CloseDetails): void;
  /** The link will not dial again. */
  closed(end: CloseDetails): void;
  /** Something in `state` or `current` changed. */
  changed(): void;
  emit<E extends keyof FailoverEvents>(event: E, ...args: FailoverEvents[E]): void;
  /** Resolves when everything is replayed, with how much that was. */
  replayed(): Promise<number>;
}

/** The shell around the pure machine: owns it, runs its effects, and turns what happens into events for it. */
export class Link {
  readonly #options: ResolvedOptions;
  readonly #endpoints: Endpoints;
  readonly #hooks: LinkHooks;
  readonly #engine: Engine;
  readonly #abandoned: AbandonedHandshakes;
  readonly #dialler: Dialler;
  readonly #warnings: Warnings;
  readonly #recorder: Recorder;
  readonly #serving: Serving;
  readonly #heartbeat: HeartbeatMonitor;
  readonly #standby: Standby;
  readonly #race: Race;
  readonly #inbound: Inbound;
  readonly #prober: Prober;
  readonly #stopListening: readonly (() => void)[];
  #machine: Machine;
  #pacingTimer: unknown;

  /** Connects the modules. Nothing is dialled before `start`. */
  constructor(options: ResolvedOptions, endpoints: Endpoints, hooks: LinkHooks) {
    const { env } = options;
    this.#options = options;
    this.#endpoints = endpoints;
    this.#hooks = hooks;
    this.#engine = engineOf(env.userAgent);
    this.#abandoned = createAbandonedHandshakes(env, this.#engine);
    this.#dialler = createDialler(env);
    this.#machine = newMachine(options.policy, env.now());
    const driver = this.#asDriver();
    const warnings = (this.#warnings = createWarnings(hooks.emit));
    const recorder = (this.#recorder = createRecorder(env));
    const { counts } = recorder;
    const serving = (this.#serving = createServing(options, recorder));
    const heartbeat = (this.#heartbeat = createHeartbeatMonitor(options, driver, serving, warnings));
    const start = this.#createAttempts();
    const standby = (this.#standby = createStandby(options, {
      driver,
      warnings,
      heartbeat,
      serving,
      counts,
      start,
      isDiallingScarce: () => this.#abandoned.of(endpoints.host).length >= this.#engine.freeAbandons,
      changed: hooks.changed,
    }));
    const race = (this.#race = createRace(
      { driver, options, engine: this.#engine, endpoints, heartbeat, standby, recorder, start },
      { replay: hooks.replay, attemptEnded: (report) => hooks.emit('attempt', report) },
    ));
    this.#inbound = createInbound(
      options,
      { driver, warnings, heartbeat, serving, standby, race, counts },
      hooks,
    );
    this.#prober = createProber(options, endpoints, driver, recorder, hooks.emit);
    this.#stopListening = listenToPage(env.page, driver, heartbeat, () => this.#endUnusedDials());
  }

  get state(): State {
    return this.#machine.state;
  }

  /** The connection in use. */
  get current(): Connection | undefined {
    return this.#serving.current;
  }

  /** The node of the warm standby. */
  get standbyNode(): string | undefined {
    return this.#standby.node;
  }

  /** A replacement already has the app's subscriptions but is not in use. What is added now must go out on both connections. */
  get isHandingOver(): boolean {
    return this.#race.isHandingOver;
  }

  /** May the app's frames go out on the connection in use? They are held back while it is suspect. */
  get isUsable(): boolean {
    const { name } = this.state;
    return this.current !== undefined && (name === 'online' || name === 'draining');
  }

  get stats(): Omit<Stats, 'queuedMessages' | 'queuedBytes'> {
    return { ...this.#recorder.counts, ...this.#heartbeat.stats() };
  }

  start(): void {
    this.#dispatch({ type: 'start' });
  }

  /** Sends a frame on the connection in use. */
  send(frame: Frame): void {
    this.#recorder.counts.framesSent += 1;
    this.current!.send(frame);
    this.#heartbeat.noteSent(this.current!);
  }

  reconnect(): void {
    this.#dispatch({ type: 'reconnect', failure: failure('manual') });
  }

  close(code: number, reason: string): void {
    this.#dispatch({ type: 'close', code, reason });
  }

  /** Calls the app's code; what it throws becomes a warning and undefined. */
  guard<T>(callback: string, call: () => T): T | undefined {
    return this.#warnings.guard(callback, call);
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #dispatch(event: LinkEvent): void {
    const { env, hedge, policy } = this.#options;
    const [next, effects] = transition(this.#machine, event, {
      now: env.now(),
      random: env.random(),
      engine: this.#engine,
      freshPath: this.#endpoints.freshPath,
      leaks: this.#abandoned.of(this.#endpoints.host),
      rtt: this.#heartbeat.rtt,
      policy,
      online: this.#isOnline,
      hedge,
      standby: this.#standby.node !== undefined,
      spreadMs: this.current?.spreadMs ?? 0,
    });
    this.#machine = next;
    for (const effect of effects) {
      this.#runEffect(effect);
      // A listener of the app's may have closed or reconnected: then the rest of this plan is void.
      if (this.state !== next.state) return;
    }
    this.#standby.reconsider();
    this.#hooks.changed();
    const connection = this.current;
    for (const waiting of connection?.buffered.splice(0) ?? []) this.#inbound.deliver(connection!, waiting);
  }

  #runEffect(effect: Effect): void {
    const { env } = this.#options;
    const { counts } = this.#recorder;
    switch (effect.do) {
      case 'wait':
        this.#pacingTimer = env.setTimeout(() => this.#dispatch({ type: 'due' }), effect.ms);
        return;
      case 'dial':
        return effect.promote ? this.#race.promoteStandby(effect) : this.#race.dial(effect);
      case 'cancel-dial':
        env.clearTimeout(this.#pacingTimer);
        this.#prober.abort();
        return this.#race.cancel();
      case 'adopt':
        return this.#adopt(effect);
      case 'drop':
        return this.#drop(effect.failure);
      case 'verify':
        if (!this.current) return;
        this.#heartbeat.ping(this.current);
        return this.#heartbeat.reassess();
      case 'release':
        if (effect.was !== 'draining') this.#recorder.discardIfNotReplaced();
        counts.hedgesCancelled += 1;
        this.#heartbeat.reassess();
        return this.#hooks.released();
      case 'probe':
        return this.#prober.start();
      case 'suspect':
        counts.suspicions += 1;
        this.#beginOutage('silent', effect.silentMs);
        return this.#hooks.emit('suspect', { silentMs: effect.silentMs });
      case 'drain':
        this.#beginOutage(effect.failure.kind, 0);
        if (effect.failure.kind === 'drain') this.#hooks.emit('drain', { spreadMs: effect.spreadMs });
        return;
      case 'proven':
        return this.#recorder.finish(this.current!, this.#hooks.replayed, (report) =>
          this.#hooks.emit('failover', report),
        );
      case 'close':
        this.#dispose();
        return this.#serving.close(effect.code, effect.reason, (end) => this.#finish(end));
      case 'fail':
        this.#dispose();
        this.#serving.detach();
        this.#hooks.emit('giveup', effect.error);
        return this.#finish(NO_CLOSE_FRAME);
      default:
        effect satisfies never;
    }
  }

  /** Takes a dial for something less urgent than an outage, if the budget holds more than `reserve` dials. */
  #takeSpareDial(reserve: number): boolean {
    const { env, policy } = this.#options;
    const next = takeSpareDial(this.#machine, policy, env.now(), reserve);
    if (next) this.#machine = next;
    return next !== undefined;
  }

  // ── from attempt to connection in use, and to its end ─────────────────────────────────────────────────────────────

  #adopt({ first, handover, leave }: Extract<Effect, { do: 'adopt' }>): void {
    const attempt = this.#race.takeWinner();
    const connection = attempt.connection!;
    this.#endpoints.markServing(attempt.endpoint!);
    this.#recorder.counts.opens += 1;
    this.#serving.use(connection, leave);
    const report = this.#recorder.addAttempt(attempt, 'open');
    this.#recorder.noteUp();
    this.#recorder.addFlushed(this.#hooks.adopted(handover));
    this.#hooks.emit('attempt', report);
    if (this.current !== connection || this.#serving.isClosing) return;
    // In the same flight as the replay: its answer proves the connection and everything sent before it.
    this.#heartbeat.ping(connection);
    this.#heartbeat.reassess();
    if (!handover) this.#hooks.emit('up', { first, node: connection.node });
  }

  #drop(why: Failure): void {
    const { env } = this.#options;
    this.#heartbeat.stop();
    this.#beginOutage(why.kind, why.kind === 'silent' ? env.now() - this.current!.lastInboundAt : 0);
    this.#serving.retire();
    this.#hooks.lost(closeDetailsOf(why));
    this.#hooks.emit('down', why);
    this.#serving.endLeaving();
    this.#race.settleForUnproven();
  }

  #beginOutage(cause: FailureKind, detectedAfterMs: number): void {
    this.#endpoints.markFailed(this.current?.endpoint);
    this.#recorder.beginOutage(cause, detectedAfterMs, this.current);
  }

  /** Acts on the drain notice of the connection in use, if there is one. It may have come before the connection was in use. */
  #followDrainNotice(connection: Connection): void {
    const { drainNotice } = connection;
    if (!drainNotice) return;
    connection.drainNotice = undefined;
    if (drainNotice.url) this.#endpoints.preferOnce(drainNotice.url, this.#options.allowedOrigins);
    this.#dispatch({ type: 'drain', failure: failure('drain'), spreadMs: drainNotice.spreadMs });
  }

  #noteProviderFailed(attempt: Attempt, cause: FailureKind | undefined, error: unknown): void {
    // Only a provider that was asked for fresh credentials may end the link. A TypeError, as from a failed `fetch`, does not refuse them.
    if (cause === 'unauthorized' && !(error instanceof TypeError)) {
      const message = `The URL or protocol provider was asked for fresh credentials and threw ${formatValue(error)}, so the link has ended. Log in again and make a new link.`;
      return this.#dispatch({ type: 'end', error: new FailoverError(cause, message, { cause: error }) });
    }
    this.#warnings.warnCallbackThrew('provider', error);
    this.#race.noteFailed(attempt, failure('provider', formatValue(error)));
  }

  #noteEnded(attempt: Attempt, connection: Connection, end: ConnectionEnd): void {
    if (this.#serving.isLeaving(connection)) return this.#serving.endLeaving();
    const why = classify(connection.openedAt !== undefined, end);
    if (connection !== this.current) return this.#race.noteFailed(attempt, why);
    if (this.#serving.isClosing) return this.#serving.finishClose(end);
    this.#dispatch({ type: 'lost', failure: why });
  }

  // ── what the modules may call ───────────────────────────────────────────────────────────────────────────────────────────

  #asDriver(): Driver {
    const state = () => this.state;
    const isOnline = () => this.#isOnline;
    return {
      get state() {
        return state();
      },
      get isOnline() {
        return isOnline();
      },
      dispatch: (event) => this.#dispatch(event),
      takeSpareDial: (reserve) => this.#takeSpareDial(reserve),
      followDrainNotice: (connection) => this.#followDrainNotice(connection),
    };
  }

  #createAttempts() {
    return createAttempts(this.#options, this.#endpoints, this.#dialler, this.#engine, this.#abandoned, {
      dialled: ({ socket }) => this.#hooks.dialled(socket),
      ready: (attempt) => this.#race.noteReady(attempt),
      failed: (attempt, why) => this.#race.noteFailed(attempt, why),
      providerFailed: (attempt, cause, error) => this.#noteProviderFailed(attempt, cause, error),
      receive: (connection, event) => this.#inbound.receive(connection, event),
      deliver: (connection, event) => this.#inbound.deliver(connection, event),
      ended: (attempt, connection, end) => this.#noteEnded(attempt, connection, end),
    });
  }

  // ── the page, and the end ─────────────────────────────────────────────────────────────────────────────────────────

  get #isOnline(): boolean {
    return this.#options.env.page.online() || this.#endpoints.loopback;
  }

  /** Ends connections that the app does not use: the standby and orphans. */
  #endUnusedDials(): void {
    this.#standby.stop();
    this.#race.endOrphans();
  }

  #dispose(): void {
    this.#heartbeat.stop();
    this.#serving.endLeaving();
    this.#endUnusedDials();
    this.#prober.abort();
    this.#dialler.dispose();
    for (const stop of this.#stopListening) stop();
  }

  #finish(end: CloseDetails): void {
    this.#hooks.closed(end);
    this.#options.env.dispose?.();
  }
}
