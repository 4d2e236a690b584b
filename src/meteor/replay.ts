import { subscriptionsOf, type MeteorConnection } from './shape.ts';

/** Meteor's replay on a new connection: over when everything revived is ready, or when the connection is gone. */
export class Replay {
  readonly #client: MeteorConnection;
  #finish: () => void = () => {};
  #done: Promise<number> = Promise.resolve(0);

  constructor(client: MeteorConnection) {
    this.#client = client;
  }

  /** Resolves when the replay is over, with the number of subscriptions. */
  get done(): Promise<number> {
    return this.#done;
  }

  /** Begins the next replay; the one before is over. */
  start(): void {
    this.#finish();
    this.#done = new Promise((resolve) => {
      this.#finish = () => resolve(Object.keys(subscriptionsOf(this.#client)).length);
    });
  }

  finish(): void {
    this.#finish();
  }
}
