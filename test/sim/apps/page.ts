import type { FailoverEvents } from '../../../src/core/api/events.ts';
import type { FailoverOptions } from '../../../src/core/api/options.ts';
import type { FailoverWebSocket } from '../../../src/core/facade/failover-websocket.ts';
import { POLICIES, type ReconnectPolicy } from '../../../src/core/api/reconnect-policy.ts';
import type { FailoverReport } from '../../../src/core/api/report.ts';
import type { Moment, Plan, Work } from '../plan.ts';
import type { SimSocket } from '../world/socket.ts';
import type { Tab } from '../world/tab.ts';
import { Pace } from './pace.ts';
import { Watch } from '../world/watch.ts';
import type { World } from '../world/world.ts';

/** More than the time between two looks. */
const JUST_MS = 300;

/** An app in one tab: uses the library as a plan says, and checks what it is promised. */
export abstract class Page {
  readonly world: World;
  readonly watch: Watch;
  readonly policy: ReconnectPolicy;
  /** The app has called `close()`. */
  closed = false;
  closedAt = Infinity;
  /** The link has ended by itself. */
  gaveUp = false;
  /** Sends of which the reports say that nobody knows. */
  unconfirmed = 0;
  status = 'connecting';
  /** A heartbeat that was never answered, on two connections that died early, is switched off: from then on a hang is invisible. */
  blind = false;
  /** A replacement is dialled while the old connection serves. */
  #replacing = false;
  #upAt = -Infinity;
  readonly pace: Pace;
  /** What it does the next time it is told so. */
  #within: Extract<Work, { do: 'within' }>[] = [];
  /** A good token is asked for when the old one is refused. */
  token = 0;
  protected abstract readonly link: Pick<FailoverWebSocket, 'status' | 'stats' | 'on' | 'reconnect'>;

  constructor(readonly tab: Tab) {
    this.world = tab.world;
    const { policy, maxAttempts = Infinity, fastAttempts = 8 } = this.world.plan.link;
    this.policy = { ...POLICIES[policy], maxAttempts, fastAttempts };
    this.watch = tab.watch = new Watch(tab, this.policy, (socket, frame) => {
      const { status } = this.link;
      const before = status.name === 'suspect' && socket.openedAt < status.since - tab.env.timeOrigin;
      if (before && this.isApps(frame))
        this.violated('suspect', `"${frame}" is sent while nobody knows whether ${socket.id} is alive`);
      this.sent(socket, frame);
    });
    this.pace = new Pace(this);
  }

  abstract start(): void;
  protected abstract does(what: Work): void;
  protected abstract waitsFor(): string | undefined;
  /** After that, when nothing happens any more. */
  abstract checkQuiet(): void;
  protected abstract sent(socket: SimSocket, frame: string): void;
  protected abstract end(): void;
  /** Is this frame an app's, which is held while the connection is suspect? */
  protected abstract isApps(frame: string): boolean;

  /** What is still waited for, once all is well; undefined: nothing. */
  unsettled(): string | undefined {
    const why = this.waitsFor();
    if (why !== undefined || this.over) return why;
    if (this.status !== 'online') return `it is ${this.status}`;
    // What it is served there is on its way.
    if (this.world.clock.now - this.#upAt < JUST_MS) return 'it is up only just';
    if (this.#replacing) return 'a node that goes away is not replaced yet';
    if (this.blind) return undefined;
    const dead = this.tab.sockets.find(
      ({ readyState, connection }) => readyState === 1 && (connection!.over || connection!.mute),
    );
    if (dead) return `socket ${dead.id} is dead, and nobody has noticed`;
    const open = this.tab.sockets.filter(({ readyState }) => readyState < 2).length;
    return open > (this.world.plan.link.standby ? 3 : 1) ? `there are ${open} sockets` : undefined;
  }

  get over(): boolean {
    return this.closed || this.gaveUp;
  }

  /** A step of the schedule: what any page does is done here, the rest is its protocol's, or the server's. */
  work(what: Work): void {
    if (this.over) return;
    if (what.do === 'reconnect') this.reconnect();
    else if (what.do === 'close') this.close();
    else if (what.do === 'within') this.#within.push(what);
    else this.does(what);
  }

  /** Called inside the app's callbacks: what it wants to do there. */
  protected act(moment: Moment): void {
    const at = this.#within.findIndex((one) => one.moment === moment);
    // From then on nothing may happen any more.
    if (at < 0 || this.world.clock.now > this.world.plan.healAt) return;
    const [{ what }] = this.#within.splice(at, 1) as [Extract<Work, { do: 'within' }>];
    this.say(`inside "${moment}": ${JSON.stringify(what)}`);
    this.work(what);
  }

  close(): void {
    if (this.over) return;
    this.closed = true;
    this.closedAt = this.world.clock.now;
    this.watch.over = true;
    this.end();
  }

  reconnect(): void {
    if (this.over) return;
    this.watch.free();
    this.link.reconnect();
  }

  violated(rule: string, text: string): void {
    this.world.violated(rule, `tab ${this.tab.index}: ${text}`);
  }

  say(text: string): void {
    if (this.world.tracing) this.world.say(`tab ${this.tab.index}`, text);
  }

  protected url(): string | readonly string[] | (() => string | readonly string[] | Promise<string>) {
    const { net, link } = this.world.plan;
    const given =
      net.addressing === 'list'
        ? this.world.nodes.map(({ name }) => `wss://${name}.example/ws`)
        : `wss://app.example/${net.addressing === 'fresh' ? '{attempt}/' : ''}ws`;
    if (link.provider === 'none') return given;
    let asked = 0;
    return (context?: { cause?: string | undefined }) => {
      asked += 1;
      if (context?.cause === 'unauthorized') {
        if (link.provider === 'ends') throw new Error('no more credentials');
        this.token = this.world.goodToken;
      }
      if (link.provider === 'moody' && asked % 3 === 0) return Promise.reject(new TypeError('fetch failed'));
      return given;
    };
  }

  protected options(): FailoverOptions {
    const { link, net } = this.world.plan;
    const { hedge, standby, probe, maxQueued, maxBytes } = link;
    return {
      policy: this.policy,
      hedge,
      standby: standby ? 'warm' : 'off',
      probe: probe && { crossOrigin: net.addressing === 'list' },
      queue: { maxMessages: maxQueued, maxBytes },
      serverNotices: true,
      env: this.tab.env,
    };
  }

  /** Listens to what the link tells of itself. */
  protected listen(): void {
    const { link } = this;
    const { plan } = this.world;
    const on = <E extends keyof FailoverEvents>(event: E, listener: (info: FailoverEvents[E][0]) => void) =>
      link.on(event, (...[info]) => {
        listener(info);
        this.act(event as Moment);
      });
    on('status', (status) => {
      this.say(`status ${status.name}${'attempt' in status ? ` (attempt ${status.attempt})` : ''}`);
      this.status = status.name;
      this.pace.status(status);
      if (status !== link.status && !this.over) this.violated('status', 'told another status than it has');
      const open = this.tab.sockets.some(({ readyState, dead }) => readyState === 1 && !dead);
      if (status.name === 'online' && !open) this.violated('current', 'online without an open socket');
    });
    on('attempt', ({ outcome, standby }) => {
      this.say(`attempt${standby ? ' of the standby' : ''}: ${outcome}`);
      if (!standby) this.pace.attempt(outcome);
    });
    on('suspect', ({ silentMs }) => {
      this.say(`suspect, silent for ${Math.round(silentMs)} ms`);
      this.pace.suspect(silentMs);
    });
    on('drain', ({ spreadMs }) => {
      this.say(`told to drain, spread ${spreadMs}`);
      this.#replacing = true;
    });
    on('down', ({ kind }) => {
      this.say(`down: ${kind}`);
      this.#replacing = false;
      this.pace.down();
    });
    on('up', ({ node }) => {
      this.say(`up on ${node ?? '?'}`);
      this.#upAt = this.world.clock.now;
    });
    on('probe', ({ verdict }) => this.say(`probe: ${verdict}`));
    on('failover', (report) => this.#report(report));
    on('warning', ({ kind, message }) => {
      this.say(`warning ${kind}: ${message}`);
      if (kind === 'heartbeat-unanswered') {
        this.blind = true;
        if (link.stats().rttMs !== undefined)
          this.violated('heartbeat', 'switched off, though it was answered before');
      }
      if (kind === 'callback' && !/^`provider` of the app threw/.test(message))
        this.violated('callback', message);
    });
    on('giveup', (error) => {
      this.say(`gives up: ${error.message}`);
      this.gaveUp = this.watch.over = true;
      const may = plan.link.maxAttempts !== undefined || plan.link.provider === 'ends';
      if (!may) this.violated('giveup', error.message);
    });
  }

  #report(report: FailoverReport): void {
    this.say(
      `failover told: ${report.cause}, down ${Math.round(report.downMs)} ms, ${report.attempts.length} attempts`,
    );
    this.#replacing = false;
    this.unconfirmed += report.unconfirmedSends;
    const back = JSON.parse(JSON.stringify(report)) as FailoverReport;
    const same = (Object.keys(report) as (keyof FailoverReport)[]).every(
      (key) => typeof report[key] === 'object' || back[key] === report[key],
    );
    if (!same) this.violated('report', `not fit for JSON: ${JSON.stringify(report)}`);
    const {
      detectedAfterMs,
      upAfterMs,
      downMs,
      replayMs,
      replayed,
      queuedFlushed,
      unconfirmedSends,
      attempts,
      probes,
    } = report;
    const figures = [detectedAfterMs, upAfterMs, downMs, replayMs, replayed, queuedFlushed, unconfirmedSends];
    for (const { waitedMs, durationMs } of attempts) figures.push(waitedMs, durationMs);
    for (const { durationMs } of probes) figures.push(durationMs);
    if (!figures.every((figure) => figure >= 0 && figure < Infinity))
      this.violated('report', `no figure: ${JSON.stringify(report)}`);
    if (!attempts.some(({ outcome }) => outcome === 'open'))
      this.violated('report', `no attempt opened: ${JSON.stringify(report)}`);
  }

  /** The link itself, when nothing happens any more. */
  protected checkLink(): void {
    const { plan } = this.world;
    const open = this.tab.sockets.filter(({ readyState, dead }) => readyState === 1 && !dead);
    const most = plan.link.standby ? 3 : 1;
    if (open.length < 1 || open.length > most)
      this.violated('current', `${open.length} open sockets: ${open.map(({ id }) => id).join()}`);
    const { queuedMessages, queuedBytes } = this.link.stats();
    if (queuedMessages || queuedBytes) this.violated('queue', `${queuedMessages} frames still wait`);
  }
}

/** What a plan leaves open for both protocols. */
export const spreadsOf = ({ server, steps }: Plan): number =>
  Math.max(server.spreadMs, ...steps.map((step) => (step.do === 'drain' ? step.spreadMs : 0)));
