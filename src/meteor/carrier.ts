import type { Status } from '../core/api/events.ts';
import type { Failure } from '../core/api/failure.ts';
import type { Leaving } from '../core/api/options.ts';
import { isolate, type Env } from '../core/env/env.ts';
import { OPEN } from '../core/facade/dom-events.ts';
import type { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import { sameStatus } from '../core/rules/status.ts';
import { DISCONNECT, isConnected, isServerNotice } from './frames.ts';
import { Handover } from './handover.ts';
import type { LinkFactory } from './link.ts';
import { Outbox } from './outbox.ts';
import { Replay } from './replay.ts';
import type { MeteorConnection, MeteorStatus, MeteorStream } from './shape.ts';
import { meteorStatus } from './status.ts';

/**
 * Carries one Meteor connection: at first over Meteor's own stream if that is connected, then over a link, and after
 * `reconnect({ url })` over the next one. It goes over from one to the other when the calls under way are answered.
 */
export class Carrier {
  readonly #client: MeteorConnection;
  readonly #ownStream: MeteorStream;
  readonly #stream: MeteorStream;
  readonly #links: LinkFactory;
  readonly #env: Env;
  readonly #handover: Handover;
  readonly #outbox: Outbox;
  readonly #replay: Replay;
  /** Dials or serves; undefined while the app has disconnected. */
  #link: FailoverWebSocket | undefined;
  /** The link whose frames the app gets: `#link`, or the one that it is to replace. */
  #serving: FailoverWebSocket | undefined;
  /** True while Meteor's own stream serves, until the link is open. */
  #ownStreamServes: boolean;

  /**
   * @param ownStream Meteor's own stream
   * @param stream the stream in its place: gets the events and the status
   */
  constructor(
    client: MeteorConnection,
    ownStream: MeteorStream,
    stream: MeteorStream,
    links: LinkFactory,
    env: Env,
  ) {
    this.#client = client;
    this.#ownStream = ownStream;
    this.#stream = stream;
    this.#links = links;
    this.#env = env;
    this.#ownStreamServes = ownStream.currentStatus.connected;
    this.#handover = new Handover(
      client,
      env,
      () => !this.#ownStreamServes || ownStream.currentStatus.connected,
    );
    if (this.#ownStreamServes) this.#handover.beginSession();
    this.#outbox = new Outbox(client);
    this.#replay = new Replay(client);
  }

  get link(): FailoverWebSocket | undefined {
    return this.#link;
  }

  get ownStreamServes(): boolean {
    return this.#ownStreamServes;
  }

  /** Shows a status to the app, if it is another one. */
  show(status: MeteorStatus): void {
    const isSame = sameStatus(status, this.#stream.currentStatus);
    this.#stream.currentStatus = status;
    if (!isSame) this.#stream.statusChanged();
  }

  /**
   * Dials a URL. What serves now goes on until the new link is open.
   *
   * @throws SyntaxError (DOMException) for a URL that cannot be dialled; nothing has changed then
   */
  dial(url: string): void {
    const link = this.#links.createLink(url, {
      replayed: () => this.#replay.done,
      leave: () => this.#leaveConnection(),
    });
    // The link before was still on its way to another URL.
    if (this.#link !== this.#serving) this.#link?.close();
    this.#link = link;
    this.#stream.rawUrl = url;
    link.addEventListener('open', () => this.#handleOpen(link));
    link.addEventListener('message', ({ data }) => {
      if (link === this.#serving && !this.#handover.isLeaving) this.#deliver(data);
    });
    link.on('status', (status) => this.#handleStatus(link, status));
    link.on('down', (why) => this.#handleDown(link, why));
    if (!this.#ownStreamServes && this.#serving?.readyState !== OPEN) this.#serve(link);
  }

  /** Sends a frame, holds it while the link is suspect, or drops it: Meteor sends again at `reset` what matters. */
  send(frame: string): void {
    if (this.#ownStreamServes) return this.#ownStream.send(frame);
    const link = this.#handover.isLeaving ? undefined : this.#serving;
    if (link?.readyState !== OPEN) this.#outbox.noteUnsent(frame);
    else if (link.status.name === 'suspect') this.#outbox.hold(frame);
    else link.send(frame);
  }

  /** Meteor's own heartbeat gives the connection up: a replacement is dialled at once. */
  loseConnection(): void {
    // It answers nothing any more, so nothing is waited for.
    this.#handover.endSession();
    this.#link?.reconnect();
  }

  /** Ends all connections, until the next `dial`. */
  disconnect(): void {
    // The server of Meteor 3.5 keeps the session of a client that may come back.
    if (this.#client._receivedCount !== undefined && this.#serving?.readyState === OPEN)
      this.#serving.send(DISCONNECT);
    this.#retireOwnStream();
    const links = new Set([this.#link, this.#serving]);
    this.#link = this.#serving = undefined;
    this.#handover.endSession();
    this.#handover.stopLeaving();
    for (const link of links) link?.close();
    this.#replay.finish();
    this.#emit('disconnect');
  }

  /** Closes the link while Meteor's own stream still serves: the app notices nothing. */
  giveUpDial(): void {
    const link = this.#link;
    this.#link = undefined;
    this.#handover.endSession();
    link?.close();
  }

  #emit(event: string, ...args: unknown[]): void {
    isolate(this.#env, () => this.#stream.forEachCallback(event, (callback) => callback(...args)));
  }

  #deliver(data: unknown): void {
    if (isConnected(data)) this.#handover.beginSession();
    if (!isServerNotice(data)) this.#emit('message', data);
    if (this.#handover.hasSession && !this.#client._waitingForQuiescence?.()) this.#replay.finish();
  }

  #handleOpen(link: FailoverWebSocket): void {
    if (link !== this.#serving) return void this.#takeOver(link);
    this.#replay.start();
    if (!this.#handover.isLeaving) this.#resetMeteor(link);
  }

  #handleStatus(link: FailoverWebSocket, status: Status): void {
    if (link !== this.#serving) return;
    this.show(meteorStatus(status));
    if (status.name === 'online') this.#outbox.flush((frame) => link.send(frame));
  }

  #handleDown(link: FailoverWebSocket, why: Failure): void {
    if (link !== this.#serving) return;
    this.#handover.endSession();
    this.#replay.finish();
    this.#emit('disconnect', new Error(why.kind));
    if (this.#link && this.#link !== link) this.#serve(this.#link);
  }

  /** Lets a link that has opened serve, once the calls under way are answered. */
  async #takeOver(link: FailoverWebSocket): Promise<void> {
    await this.#handover.waitUntilIdle();
    // Not if the app has disconnected or moved again meanwhile, or if the link was needed sooner.
    if (link === this.#link && link !== this.#serving) this.#serve(link);
  }

  /** From now on the app gets the frames and the status of this link. */
  #serve(link: FailoverWebSocket): void {
    const before = this.#serving;
    this.#retireOwnStream();
    this.#serving = link;
    this.#handover.stopLeaving();
    before?.close();
    if (link.readyState === OPEN) this.#resetMeteor(link);
    else this.show(meteorStatus(link.status));
  }

  /** Meteor starts over on a connection that is open: it connects, and sends its calls and subscriptions again. */
  #resetMeteor(link: FailoverWebSocket): void {
    this.#outbox.discard();
    this.#handover.endSession();
    // Meteor's own heartbeat would judge the connection by its own rules. The one it has running ends with `disconnect`.
    if (this.#links.hasHeartbeat) this.#client._heartbeatInterval = 0;
    this.#emit('disconnect');
    // A listener may have disconnected.
    if (link !== this.#serving) return;
    this.show(meteorStatus(link.status));
    this.#emit('reset');
  }

  /** The link goes over to another connection while the one in use still works, say on a node that drains. */
  #leaveConnection(): Leaving {
    return this.#handover.leave(
      (data) => this.#deliver(data),
      () => {
        const next = this.#link;
        const serving = this.#serving;
        if (next !== serving && next?.readyState === OPEN) this.#serve(next);
        else if (serving?.readyState === OPEN) this.#resetMeteor(serving);
      },
    );
  }

  /** Ends Meteor's own stream. The app is not told, since it is served on. */
  #retireOwnStream(): void {
    if (!this.#ownStreamServes) return;
    this.#ownStreamServes = false;
    this.#stream.currentStatus = this.#ownStream.currentStatus;
    const { statusChanged } = this.#ownStream;
    this.#ownStream.statusChanged = () => {};
    this.#ownStream.disconnect();
    this.#ownStream.statusChanged = statusChanged;
  }
}
