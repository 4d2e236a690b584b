import type { LinkEvent, State } from '../rules/machine.ts';
import type { Connection } from './connection.ts';

/** What the modules of the link may ask of it. */
export interface Driver {
  readonly state: State;
  /** The browser's word, except for loopback addresses, which need no network. */
  readonly isOnline: boolean;
  /** Puts an event through the machine and runs what follows from it. */
  dispatch(event: LinkEvent): void;
  /** Takes a dial for something less urgent than an outage, if the budget holds more than `reserve` dials; false if not. */
  takeSpareDial(reserve: number): boolean;
  /** Acts on the drain notice of the connection in use, if there is one. It may have come before the connection was in use. */
  followDrainNotice(connection: Connection): void;
}
