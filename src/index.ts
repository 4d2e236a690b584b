export { FailoverError, isFailoverError, type ErrorKind } from './core/errors.ts';
export type { FailoverEvents, Stats, Status, WarningKind } from './core/events.ts';
export type { Env, Page, PageEvent, WebSocketConstructor } from './core/env.ts';
export type { Failure, FailureKind } from './core/failure.ts';
export type { FailoverOptions } from './core/options.ts';
export type { AttemptReport, FailoverReport, ProbeReport, ProbeVerdict } from './core/report.ts';
