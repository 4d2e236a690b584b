import type { LinkEvent, State } from '../rules/machine.ts';
import type { Connection } from './connection.ts';

/** What the rooms of the link may ask of it. */
export interface Driver {
  readonly state: State;
  /** The browser's word, except for loopback addresses, which need no network. */
  readonly isOnline: boolean;
  /** Puts an event through the machine and runs what follows from it. */
  dispatch(event: LinkEvent): void;
  /** Takes a dial from the budget for something less urgent than an outage, if that leaves `reserve` dials; false if not. */
  takeSpareDial(reserve: number): boolean;
  /** Leaves a connection in use whose node has said that it goes away, perhaps before it was in use. */
  followDrainNotice(connection: Connection): void;
}
