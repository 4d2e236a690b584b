import { encode, VERSIONS } from './messages.ts';

/** Which version of DDP the next connection offers. */
export interface Versions {
  /** No `connected` has come since the last offer, so a `failed` is an answer to it. */
  readonly isNegotiating: boolean;
  /** Returns the `connect` message of a new connection. */
  offer(): string;
  /** The server has accepted the offer. */
  accepted(): void;
  /** The server asks for another version. Returns false if we do not speak it, or the server has refused it before. */
  switchTo(version: string): boolean;
}

export function createVersions(): Versions {
  let version = VERSIONS[0]!;
  /** Versions offered since the last success. */
  const offered = new Set<string>();
  return {
    get isNegotiating() {
      return offered.size > 0;
    },
    offer() {
      offered.add(version);
      return encode({ msg: 'connect', version, support: VERSIONS });
    },
    accepted: () => offered.clear(),
    switchTo(wanted) {
      const canOffer = VERSIONS.includes(wanted) && !offered.has(wanted);
      if (canOffer) version = wanted;
      return canOffer;
    },
  };
}
