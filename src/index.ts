export { FailoverWebSocket } from './core/failover-websocket.ts';
export { FailoverError, isFailoverError, type ErrorKind } from './core/errors.ts';
export { POLICIES, type PolicyName, type ReconnectPolicy } from './core/policies.ts';
export type { FailoverEvents, Stats, Status, WarningKind } from './core/events.ts';
export type { Env, Page, PageEvent, WebSocketConstructor } from './core/env.ts';
export type { Failure, FailureKind } from './core/failure.ts';
export type {
  DialContext,
  FailoverOptions,
  Frame,
  Heartbeat,
  Layer,
  Leaving,
  LogLevel,
  ProbeOptions,
  ProtocolSource,
  QueueOptions,
  UrlProvider,
  UrlSource,
} from './core/options.ts';
export type { AttemptReport, FailoverReport, ProbeReport, ProbeVerdict } from './core/report.ts';
export type { ReplayRegistry } from './core/replay.ts';
