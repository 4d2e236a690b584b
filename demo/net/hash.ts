/** The hash by which the balancer assigns connections to nodes. */
import { createHash } from 'node:crypto';

export interface FiveTuple {
  sourceAddress: string;
  sourcePort: number;
  address: string;
  port: number;
}

/**
 * The hash of a connection, 0 to 2³²-1, from its 5-tuple (the protocol is always TCP). It uses SHA-1 because Linux assigns
 * ephemeral ports of one parity first: cheaper hashes send nearly all connections to one of two nodes.
 */
export function flowHash({ sourceAddress, sourcePort, address, port }: FiveTuple): number {
  return createHash('sha1')
    .update(`tcp ${sourceAddress} ${sourcePort} ${address} ${port}`)
    .digest()
    .readUInt32BE(0);
}

/** The candidate that a connection is assigned to; `undefined` when there is none. */
export function pickByHash<T>(candidates: readonly T[], tuple: FiveTuple): T | undefined {
  return candidates[flowHash(tuple) % candidates.length];
}
