/**
 * A client for DDP, the protocol of Meteor servers, for apps outside Meteor's own bundle: subscriptions, documents, method calls
 * and logins that survive a failover.
 *
 * @module
 *
 * @example
 * import { DDPClient } from 'failover-websocket/ddp';
 *
 * const ddp = new DDPClient('wss://example.org/websocket', { policy: 'fast' });
 * const todos = ddp.subscribe('todos');
 * await todos.ready;
 */
export { FailoverError, isFailoverError, type ErrorKind } from '../core/api/errors.ts';
export { DDPClient } from './client.ts';
export type { Collection } from './collection.ts';
export type { Document, Filter, Observer } from './document.ts';
export { DDPError } from './errors.ts';
export type { DDPEvents, DDPStats, DDPWarningKind } from './events.ts';
export { EJSON, ObjectID, type Ejson } from './ejson.ts';
export type { DocumentId } from './messages.ts';
export type { ApplyOptions } from './call.ts';
export type { DDPOptions } from './options.ts';
export type { UserSelector } from './login.ts';
export type { DdpLink } from './wire.ts';
export type { Subscription } from './subscriptions.ts';
