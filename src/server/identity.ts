import { check, checkBoolean, checkNames } from './check.ts';
import { each, gather, tell, type Client, type Clients } from './clients.ts';
import { acceptRate, spreadFor } from './spread.ts';

export interface IdentityOptions {
  /** What this node is called in reports and statuses, 1 to 256 characters. */
  readonly id: string;
  /** Whom to tell. */
  readonly clients: Clients;
  /**
   * How many clients per second the *other* nodes together take in, with all it costs them: TLS, login, subscriptions. Of it
   * and the number of clients here follows how widely they should spread their dials if this node dies (`spreadMs`): a
   * thousand clients at 200 per second spread over 5 s, four at once. Too high a value overloads the survivors, too low a
   * one makes clients wait for nodes that are idle: measure it by restarting a node under load. 1 to 1 000 000.
   * @default 200: one core that needs 5 ms for each
   */
  readonly acceptPerSecond?: number;
  /**
   * Tell each client as soon as its server announces it. `false` where the server must not speak first, as in DDP over a
   * server of your own: call `tell(client)` once `connected` is sent. For `Meteor.server` this is done for you.
   * @default true
   */
  readonly greet?: boolean;
}

export interface NodeIdentity {
  /** Tells one client, the object that is in `clients`, which node it is on; does nothing the second time. */
  tell(client: Client): void;
  /** Stops telling. */
  close(): void;
}

/** At most this often the number of clients is looked at, and those here are told of a change. */
const EVERY_MS = 1000;

/** A change by less than this part is no news: a spread is a rough figure. */
const CHANGE = 1 / 5;

/**
 * Tells every client once which node it is on and how widely to spread if the node dies, `{"msg":"node","id":…,"spreadMs":…}`,
 * and those here again when their number has changed by a fifth, at most once a second. While there are few, `spreadMs` is 0:
 * they may dial at once. A lone client is never held back.
 *
 * @example
 * nodeIdentity({ id: os.hostname(), clients: webSocketServer });
 * @throws RangeError naming the option and the value
 */
export function nodeIdentity(options: IdentityOptions): NodeIdentity {
  const { id, greet = true } = checkNames(options, ['id', 'clients', 'acceptPerSecond', 'greet']);
  check('id', id, typeof id === 'string' && id.length > 0 && id.length <= 256, '1 to 256 characters');
  const rate = acceptRate(options.acceptPerSecond);
  checkBoolean('greet', greet);

  const told = new WeakSet<Client>();
  /** Of how many clients `spreadMs` was made. Counting anew for each that comes would be quadratic when a crowd does. */
  let counted = 0;
  let spreadMs = 0;
  let telling = false;

  const introduce = (client: Client): void => {
    told.add(client);
    tell(client, { msg: 'node', id, spreadMs });
  };
  const tellNew = (client: Client): void => {
    if (!told.has(client)) introduce(client);
  };
  const crowd = gather(options.clients, greet ? tellNew : undefined);

  const review = async (): Promise<void> => {
    const clients = crowd.now();
    if (telling || Math.abs(clients.size - counted) < counted * CHANGE) return;
    counted = clients.size;
    const spread = spreadFor(counted, rate);
    if (spread === spreadMs) return;
    spreadMs = spread;
    telling = true;
    await each(clients, (client) => told.has(client) && introduce(client));
    telling = false;
  };
  const timer = setInterval(() => void review(), EVERY_MS);
  timer.unref();

  return {
    tell: tellNew,
    close() {
      clearInterval(timer);
      crowd.forget();
    },
  };
}
