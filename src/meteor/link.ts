import type { FailoverOptions, Heartbeat, Layer } from '../core/api/options.ts';
import type { Env } from '../core/env/env.ts';
import { FailoverWebSocket } from '../core/facade/failover-websocket.ts';
import { overSockjs } from '../sockjs/link.ts';
import { isPingReply, PING } from './frames.ts';
import type { RuntimeConfig } from './shape.ts';
import { endpointOf } from './url.ts';

export interface LinkOptions extends FailoverOptions {
  readonly transport?: 'sockjs' | 'websocket' | undefined;
}

/** Creates the links of one Meteor connection. */
export interface LinkFactory {
  /** False if the app's options turn the link's heartbeat off: then Meteor's own goes on. */
  readonly hasHeartbeat: boolean;
  /**
   * @param url as Meteor has it in `rawUrl`
   * @throws SyntaxError (DOMException) for a URL that cannot be dialled
   */
  createLink(url: string, layer: Layer): FailoverWebSocket;
}

/** Every Meteor server answers DDP's ping. */
const DDP_HEARTBEAT: Heartbeat = { message: PING, isReply: isPingReply, required: true };

export function createLinkFactory(
  { transport, ...options }: LinkOptions,
  config: RuntimeConfig,
  env: Env,
): LinkFactory {
  const isRaw = usesRawWebSocket(transport, config);
  const heartbeat = options.heartbeat ?? DDP_HEARTBEAT;
  const randomDigit = (): number => Math.floor(env.random() * 10);
  return {
    hasHeartbeat: heartbeat !== false,
    createLink(url, layer) {
      const endpoint = endpointOf(url, isRaw, config, randomDigit);
      const settings: FailoverOptions = {
        serverNotices: true,
        ...options,
        heartbeat,
        events: 'link',
        layer,
      };
      return isRaw ? new FailoverWebSocket(endpoint, undefined, settings) : overSockjs(endpoint, settings);
    },
  };
}

/** As in Meteor's client: SockJS, unless the app's server says otherwise. */
function usesRawWebSocket(transport: LinkOptions['transport'], config: RuntimeConfig): boolean {
  if (transport) return transport === 'websocket';
  const { DISABLE_SOCKJS, DDP_TRANSPORT = 'sockjs' } = config;
  return !!DISABLE_SOCKJS || DDP_TRANSPORT !== 'sockjs';
}
