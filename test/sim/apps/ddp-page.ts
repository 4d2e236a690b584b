import type { FailoverWebSocket } from '../../../src/core/facade/failover-websocket.ts';
import { DDPClient, type Subscription } from '../../../src/ddp/index.ts';
import type { Work } from '../plan.ts';
import type { SimSocket } from '../world/socket.ts';
import type { Tab } from '../world/tab.ts';
import { Calls } from './ddp-calls.ts';
import { Mirror } from './ddp-mirror.ts';
import { PUBLICATIONS, type DdpSession, type DdpStore, type Doc } from './ddp-server.ts';
import { Page } from './page.ts';

/** Documents of a new connection are held back for at most so long. */
export const QUIESCENCE_MS = 4_000;

interface Sub {
  readonly pub: string;
  readonly handle: Subscription;
  /** Documents that were there when the server was asked for it, if it is asked anew. */
  readonly asked: ReadonlyMap<string, Doc>;
  ready: boolean;
  refused: boolean;
}

/** An app on a DDP client: subscribes, calls, logs in, and compares what it is told with what the servers did. */
export class DdpPage extends Page {
  ddp!: DDPClient;
  protected link!: FailoverWebSocket;
  readonly #mirror = new Mirror(this);
  readonly #calls = new Calls(this);
  readonly subs: Sub[] = [];
  /** What the app knows of its login; undefined: nothing for sure. */
  user: boolean | undefined = false;
  #loggingIn = false;
  /** The connection whose session came last. */
  current: SimSocket | undefined;
  currentSince = 0;

  constructor(
    tab: Tab,
    readonly store: DdpStore,
  ) {
    super(tab);
  }

  start(): void {
    this.ddp = new DDPClient(this.url(), {
      ...this.options(),
      quiescenceTimeoutMs: QUIESCENCE_MS,
    });
    this.link = this.ddp.link;
    this.listen();
    this.ddp.on('error', (error) => {
      this.say(`error: ${error.message}`);
      // A login that could not be resumed.
      if (error.kind === 'handshake') this.#userMayBe(undefined);
      else if (error.kind !== 'server') this.violated('wire', error.message);
      else if (!/Must connect first/.test(error.message)) this.violated('wire', error.message);
    });
    this.#mirror.start();
  }

  protected does(what: Work): void {
    switch (what.do) {
      case 'sub':
        this.#subscribe(what.pub);
        break;
      case 'stop':
        this.#stop(what.nth);
        break;
      case 'call':
        this.#calls.make(what);
        break;
      case 'login':
        this.#login();
        break;
      case 'logout':
        this.#logout();
        break;
      default:
      // Of the other protocol, or the server's.
    }
  }

  // ── subscriptions ─────────────────────────────────────────────────────────────────────────────────────────────────

  #subscribe(pub: string): void {
    const shared = this.subs.some((sub) => sub.pub === pub && sub.handle.active);
    const asked = new Map(shared ? [] : this.store.docs);
    const handle = this.ddp.subscribe(pub);
    const sub: Sub = { pub, handle, asked, ready: false, refused: false };
    this.subs.push(sub);
    handle.ready.then(
      () => {
        this.say(`${pub} is ready`);
        sub.ready = true;
        this.#checkReady(sub);
        this.act('ready');
      },
      (error: { kind: string; message: string }) => {
        this.say(`${pub} is not ready: ${error.message}`);
        sub.refused = true;
        const expected = pub === 'refused' ? 'server' : undefined;
        if (handle.active) this.violated('settle', `${pub} was refused and is active`);
        if (
          ![
            expected,
            'aborted',
            'closed',
            this.gaveUp ? 'exhausted' : '',
            this.gaveUp ? 'unauthorized' : '',
          ].includes(error.kind)
        )
          this.violated('settle', `${pub}: ${error.message}`);
      },
    );
  }

  /** What was there before it was asked for, and still is, can be seen. */
  #checkReady({ pub, asked, handle }: Sub): void {
    const { has, user } = PUBLICATIONS[pub] ?? { has: () => false };
    if (user || !handle.active) return;
    for (const [id, doc] of asked)
      if (has(doc) && this.store.docs.get(id)?.life === doc.life && !this.#mirror.has(id))
        this.violated('documents', `${pub} is ready, but ${id} is not there`);
  }

  #stop(nth: number): void {
    const active = this.subs.filter(({ handle }) => handle.active);
    const sub = active[nth % Math.max(1, active.length)];
    if (!sub) return;
    this.say(`stops ${sub.pub}`);
    sub.handle.stop();
    this.subs.splice(this.subs.indexOf(sub), 1);
    this.#mirror.uncovered((doc) => !this.covers(doc));
  }

  seen(id: string): { readonly v: number } | undefined {
    return this.#mirror.get(id);
  }

  /** Is this document published to the app, by a subscription that has been ready? */
  covers(doc: Doc): boolean {
    return this.subs.some(({ pub, ready, handle }) => {
      const { has, user } = PUBLICATIONS[pub] ?? { has: () => false };
      return ready && handle.active && has(doc) && !user;
    });
  }

  // ── login ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #userMayBe(user: boolean | undefined): void {
    this.user = user;
  }

  #login(): void {
    if (this.#loggingIn) return;
    this.#loggingIn = true;
    this.#userMayBe(undefined);
    this.ddp
      .login({ user: 'u' })
      .then(
        () => this.#userMayBe(true),
        () => this.#userMayBe(undefined),
      )
      .finally(() => (this.#loggingIn = false));
  }

  #logout(): void {
    if (this.#loggingIn) return;
    this.#loggingIn = true;
    this.#userMayBe(undefined);
    this.ddp
      .logout()
      .then(
        // Known, and not mended: a server that refused the resumed login unheard is told it again, after the logout.
        () => this.#userMayBe(this.world.plan.server.patientMs > 0 ? undefined : false),
        () => this.#userMayBe(undefined),
      )
      .finally(() => (this.#loggingIn = false));
  }

  // ── the wire ──────────────────────────────────────────────────────────────────────────────────────────────────────

  protected sent(socket: SimSocket, frame: string): void {
    if (frame === '{"msg":"ping"}') return;
    const message = JSON.parse(frame) as { msg: string; id?: string; method?: string; params?: unknown[] };
    if (this.world.tracing) this.say(`→ ${socket.id} ${frame}`);
    if (this.closed && message.msg !== 'pong') this.violated('left', `says ${frame} after close()`);
    if (message.msg === 'connect') {
      this.current = socket;
      this.currentSince = this.world.clock.now;
    }
    if (message.msg === 'method') this.#calls.sent(socket, frame, message.id!, message.params![0]);
  }

  protected isApps(frame: string): boolean {
    return /^\{"msg":"(method|sub|unsub)"/.test(frame);
  }

  /** The app was told of a document. */
  told(): void {
    this.act('document');
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  protected waitsFor(): string | undefined {
    const call = this.#calls.pending();
    if (call) return call;
    if (this.over || this.blind) return undefined;
    const waiting = this.subs.find(({ ready, refused }) => !ready && !refused);
    if (waiting) return `subscription ${waiting.pub} is not ready`;
    if ([...this.store.sessions].some(({ busy }) => busy)) return 'a node is busy';
    if (this.user !== undefined && this.#session()?.user !== this.user)
      return `the app thinks it is ${this.user ? '' : 'not '}logged in, the server does not`;
    const missing = this.#missing();
    if (missing) return missing;
    return this.#loggingIn ? 'a login or logout has not settled' : undefined;
  }

  checkQuiet(): void {
    this.#calls.check();
    if (this.over || this.blind) return;
    this.checkLink();
    const session = this.#session();
    const expected = new Map<string, Doc>();
    for (const [id, doc] of this.store.docs) {
      const published = this.subs.some(({ pub, handle }) => {
        const { has, user } = PUBLICATIONS[pub] ?? { has: () => false };
        return handle.active && has(doc) && (!user || session?.user);
      });
      if (published) expected.set(id, doc);
    }
    this.#mirror.equals(expected);
  }

  /** What the node does not publish, though it is subscribed to, or the other way round. */
  #missing(): string | undefined {
    const active = this.subs.filter(({ handle }) => handle.active).map(({ pub }) => pub);
    const known = [...(this.#session()?.subs.values() ?? [])];
    if (new Set(active).size === known.length && active.every((pub) => known.includes(pub))) return undefined;
    return `the server publishes ${known.join()}, the app subscribes to ${active.join()}`;
  }

  #session(): DdpSession | undefined {
    const sockets = this.tab.sockets.filter(({ readyState }) => readyState === 1);
    const sessions = sockets.map(({ connection }) => connection!.session as DdpSession);
    return sessions.find(({ subs }) => subs.size > 0) ?? sessions[0];
  }

  protected end(): void {
    this.ddp.close();
  }
}
