/**
 * For the server: a node tells its clients who it is (`nodeIdentity`), and lets them move before it stops (`drain`). Works with
 * `ws`, `sockjs`, Meteor 3 and any other server; needs no package but Node's own modules.
 *
 * @module
 */
export { drain } from './drain.ts';
export type { Drain } from './drain.ts';
export type { DrainOptions } from './drain-options.ts';
export type { HttpServer } from './http-server.ts';
export { nodeIdentity } from './identity.ts';
export type { IdentityOptions, NodeIdentity } from './identity.ts';
export type {
  Client,
  Clients,
  ClientSource,
  MeteorServerLike,
  SockJsServerLike,
  WebSocketServerLike,
} from './clients.ts';
