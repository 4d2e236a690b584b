/**
 * For Meteor apps: `installFailover` puts a FailoverWebSocket under a live Meteor connection. Collections, calls, Tracker and
 * accounts stay as they are.
 *
 * @module
 */
export { installFailover, type MeteorFailoverOptions, type Uninstall } from './install.ts';
export type { MeteorConnection, MeteorStatus, MeteorStream } from './shape.ts';
