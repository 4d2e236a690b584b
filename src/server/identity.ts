import { isAnything, isBoolean, rule, validate, validateFields, type Rules } from '../shared/validate.ts';
import { isClients, watchClients, type Client, type Clients } from './clients.ts';
import { forEachClient, sendNotice } from './notify.ts';
import { ACCEPT_PER_SECOND, isAcceptRate, spreadFor } from './spread.ts';

export interface IdentityOptions {
  /** The name of this node in reports and statuses, 1 to 256 characters. Each node needs its own; the host name is a good one. */
  readonly id: string;
  /** The clients to tell: one source or an array of several. */
  readonly clients: Clients;
  /**
   * How many clients per second the *other* nodes together can accept, with TLS, login and subscriptions. 1 to 1 000 000.
   *
   * Together with the number of clients here it decides how widely they spread their dials if this node dies (`spreadMs`):
   * at 200 per second, a thousand clients spread over 5 s, three do not wait. Too high a value overloads the other nodes,
   * too low a value keeps clients waiting for idle ones. Measure it by restarting a node under load.
   * @default 200 (one core that needs 5 ms for each client)
   */
  readonly acceptPerSecond?: number;
  /**
   * `true`: each client is told as soon as its server announces it. `false`: the protocol does not let the server speak first,
   * as in DDP over a server of your own; call `tell(client)` after you have sent `connected`. `Meteor.server` works with the
   * default: it announces a client after `connected`.
   * @default true
   */
  readonly greet?: boolean;
}

export interface NodeIdentity {
  /** Tells one client which node it is on. Pass the object that is in `clients`; a second call for it does nothing. */
  tell(client: Client): void;
  /** Stops telling clients and removes the listeners from `clients`. */
  close(): void;
}

const isNodeId = rule(
  '1 to 256 characters',
  (value) => typeof value === 'string' && value.length > 0 && value.length <= 256,
);

const RULES: Rules = {
  // Both are required, and checked by name below.
  id: isAnything,
  clients: isAnything,
  acceptPerSecond: isAcceptRate,
  greet: isBoolean,
};

/** How often clients are counted, and so how often one is told of a new spread at most, ms. */
const REVIEW_MS = 1000;

/** A spread is a rough figure: a smaller change in the number of clients than this part is not worth a notice. */
const MIN_CHANGE = 1 / 5;

/**
 * Tells every client once which node it is on, and how widely to spread its dial if the node dies:
 * `{"msg":"node","id":…,"spreadMs":…}`. When the number of clients has changed by a fifth, all are told again, at most once a
 * second. With few clients `spreadMs` is 0 and they dial at once.
 *
 * DDPClient and Meteor apps understand the notice by default, a `FailoverWebSocket` with `serverNotices: true`.
 *
 * @example
 * import { hostname } from 'node:os';
 * import { nodeIdentity } from 'failover-websocket/server';
 *
 * nodeIdentity({ id: hostname(), clients: webSocketServer });
 * @throws RangeError for a bad option, with its name and value
 */
export function nodeIdentity(options: IdentityOptions): NodeIdentity {
  const { id, clients, acceptPerSecond = ACCEPT_PER_SECOND, greet = true } = validateFields(options, RULES);
  validate('options.id', id, isNodeId);
  validate('options.clients', clients, isClients);

  const told = new WeakSet<Client>();
  /** The number of clients that `spreadMs` was computed for. Counting again for each newcomer would cost n² for a crowd. */
  let counted = 0;
  let spreadMs = 0;
  let isTelling = false;

  const tell = (client: Client): void => {
    told.add(client);
    sendNotice(client, { msg: 'node', id, spreadMs });
  };
  const tellNewcomer = (client: Client): void => {
    if (!told.has(client)) tell(client);
  };
  const crowd = watchClients(clients, greet ? tellNewcomer : undefined);

  const reviewSpread = async (): Promise<void> => {
    const present = crowd.list();
    if (isTelling || Math.abs(present.size - counted) < counted * MIN_CHANGE) return;
    counted = present.size;
    const spread = spreadFor(counted, acceptPerSecond);
    if (spread === spreadMs) return;
    spreadMs = spread;
    isTelling = true;
    await forEachClient(present, (client) => told.has(client) && tell(client));
    isTelling = false;
  };
  const timer = setInterval(() => void reviewSpread(), REVIEW_MS);
  // A node with nothing else to do may end.
  timer.unref();

  return {
    tell: tellNewcomer,
    close() {
      clearInterval(timer);
      crowd.unwatch();
    },
  };
}
