import type { Env } from '../core/env/env.ts';
import { OPEN } from '../core/facade/dom-events.ts';
import type { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import { Carrier } from './carrier.ts';
import type { LinkFactory } from './link.ts';
import type { DisconnectOptions, MeteorConnection, MeteorStream, ReconnectOptions } from './shape.ts';

export interface FailoverStream extends MeteorStream {
  /** Dials or serves; undefined while the app has disconnected. */
  readonly link: FailoverWebSocket | undefined;
  /** Puts Meteor's own stream back to work. */
  uninstall(): void;
}

/**
 * Installs a stream with the contract of Meteor's ClientStream, carried by a FailoverWebSocket. It inherits from the stream it
 * replaces: the callbacks, the Tracker dependency of the status and anything else that other packages look for are still there.
 */
export function installStream(
  client: MeteorConnection,
  ownStream: MeteorStream,
  links: LinkFactory,
  env: Env,
): FailoverStream {
  const ownInterval = client._heartbeatInterval!;
  const stream = Object.create(ownStream) as FailoverStream;
  const carrier = new Carrier(client, ownStream, stream, links, env);
  /** Meteor has given the connection up for good, say because no protocol version suits both sides. */
  let hasFailed = ownStream.currentStatus.status === 'failed';

  Object.defineProperty(stream, 'link', { get: () => carrier.link });
  Object.assign(stream, {
    send: (data: string) => carrier.send(data),
    reconnect(options?: ReconnectOptions) {
      if (hasFailed) return;
      const { link } = carrier;
      if (options?.url || !link || link.readyState > OPEN) carrier.dial(options?.url || stream.rawUrl);
      else if (options?._force || !stream.currentStatus.connected) link.reconnect();
    },
    disconnect(options?: DisconnectOptions) {
      if (hasFailed) return;
      const { _permanent, _error } = options ?? {};
      hasFailed = !!_permanent;
      carrier.disconnect();
      carrier.show({
        status: hasFailed ? 'failed' : 'offline',
        connected: false,
        retryCount: 0,
        ...(hasFailed && _error !== undefined && { reason: _error }),
      });
    },
    _lostConnection(error?: unknown) {
      if (carrier.ownStreamServes) ownStream._lostConnection(error);
      else carrier.loseConnection();
    },
    uninstall() {
      client._stream = ownStream;
      client._heartbeatInterval = ownInterval;
      ownStream.rawUrl = stream.rawUrl;
      if (carrier.ownStreamServes) return carrier.giveUpDial();
      const wasConnecting = carrier.link !== undefined;
      carrier.disconnect();
      if (hasFailed) ownStream.disconnect({ _permanent: true, _error: stream.currentStatus.reason });
      else if (wasConnecting) ownStream.reconnect();
      else ownStream.statusChanged();
    },
  });

  client._stream = stream;
  // A connection that its app has closed, or Meteor has given up, stays as it is.
  if (hasFailed || ownStream.currentStatus.status === 'offline') return stream;
  if (!carrier.ownStreamServes) ownStream.disconnect();
  carrier.dial(ownStream.rawUrl);
  return stream;
}
