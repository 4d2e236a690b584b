/**
 * For Meteor apps: a FailoverWebSocket carries their connection.
 *
 * @module
 */
export { installFailover, type MeteorFailoverOptions, type Uninstall } from './install.ts';
export type { MeteorConnection, MeteorStatus, MeteorStream } from './shape.ts';
