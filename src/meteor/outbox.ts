import { methodIdOf } from './frames.ts';
import { callsOf, type MeteorConnection } from './shape.ts';

/**
 * What Meteor sent while no connection could take it. Meteor sends everything that matters again at `reset`, so nothing is
 * queued for a new connection. Only frames that wait for the verdict on a suspect link are kept, and go out if it answers.
 */
export class Outbox {
  readonly #client: MeteorConnection;
  #held: string[] = [];
  /** Ids of calls whose frame never went out. Even one with `noRetry` may go out on the next connection. */
  readonly #unsent = new Set<string>();

  constructor(client: MeteorConnection) {
    this.#client = client;
  }

  /** Keeps a frame until the suspect link answers or is replaced. */
  hold(frame: string): void {
    this.#held.push(frame);
    this.noteUnsent(frame);
  }

  /** Remembers a call that does not go out now. */
  noteUnsent(frame: string): void {
    const id = methodIdOf(frame);
    if (id !== undefined) this.#unsent.add(id);
  }

  /** The suspect link has answered: what was held goes out on it. */
  flush(send: (frame: string) => void): void {
    if (this.#held.length === 0) return;
    this.#unsent.clear();
    for (const frame of this.#held.splice(0)) send(frame);
  }

  /** Meteor starts over: frames held are dropped, and calls that never went out count as not sent. */
  discard(): void {
    this.#held = [];
    const calls = callsOf(this.#client);
    for (const id of this.#unsent) if (id in calls) calls[id]!.sentMessage = false;
    this.#unsent.clear();
  }
}
