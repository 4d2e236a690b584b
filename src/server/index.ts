export { drain } from './drain.ts';
export type { Drain, DrainOptions, HttpServer } from './drain.ts';
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
