/**
 * A drop-in for `WebSocket` that stays served when its node stops, hangs, drains or vanishes.
 *
 * @packageDocumentation
 *
 * @example
 * import { FailoverWebSocket } from 'failover-websocket';
 *
 * const ws = new FailoverWebSocket('wss://example.org/ws', undefined, {
 *   policy: 'fast',
 *   heartbeat: { message: 'ping', isReply: (data) => data === 'pong' },
 * });
 * ws.subscriptions.set('news', JSON.stringify({ subscribe: 'news' }));
 * ws.onmessage = (event) => render(event.data);
 */
export { FailoverWebSocket } from './core/facade/failover-websocket.ts';
export { FailoverError, isFailoverError, type ErrorKind } from './core/api/errors.ts';
export { POLICIES, type PolicyName, type ReconnectPolicy } from './core/api/reconnect-policy.ts';
export type { FailoverEvents, Stats, Status, WarningKind } from './core/api/events.ts';
export type { Env, Page, PageEvent, WebSocketConstructor } from './core/env/env.ts';
export type { Failure, FailureKind } from './core/api/failure.ts';
export type {
  DialContext,
  FailoverOptions,
  Heartbeat,
  Layer,
  Leaving,
  LogLevel,
  ProbeOptions,
  ProtocolSource,
  QueueOptions,
  UrlProvider,
  UrlSource,
} from './core/api/options.ts';
export type { Frame } from './core/api/frame.ts';
export type { AttemptReport, FailoverReport, ProbeReport, ProbeVerdict } from './core/api/report.ts';
export type { ReplayRegistry } from './core/facade/replay-registry.ts';
