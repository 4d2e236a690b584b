export { DDPClient, type DDPOptions } from './client.ts';
export type { Collection, Document, Observer } from './collections.ts';
export { DDPError } from './errors.ts';
export type { DDPEvents, DDPStats, DDPWarningKind } from './events.ts';
export { EJSON, type Ejson } from './ejson.ts';
export type { DocumentId } from './messages.ts';
export type { ApplyOptions } from './methods.ts';
export type { DdpLink } from './session.ts';
export type { Subscription } from './subscriptions.ts';
