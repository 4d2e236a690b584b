/**
 * Meteor apps: their connection, carried by a FailoverWebSocket.
 *
 * @module
 */
export { installFailover, type MeteorFailoverOptions, type Uninstall } from './install.ts';
export type { MeteorConnection, MeteorStatus, MeteorStream } from './shape.ts';
