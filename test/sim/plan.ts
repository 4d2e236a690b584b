import type { PolicyName } from '../../src/core/api/reconnect-policy.ts';
import type { Gateway } from './world/node.ts';
import type { EngineName } from './world/browser.ts';

/** One seed's world, and everything that happens in it: plain data, so that it can be cut down and played again. */
export interface Plan {
  readonly seed: number;
  readonly protocol: 'plain' | 'ddp';
  readonly link: {
    readonly policy: PolicyName;
    /** Infinity is not JSON. */
    readonly maxAttempts: number | undefined;
    readonly fastAttempts: number | undefined;
    readonly hedge: boolean;
    readonly standby: boolean;
    readonly heartbeat: 'active' | 'passive' | 'none';
    readonly login: boolean;
    /** Asked for each address: it never fails, now and then, or when it is asked for fresh credentials. */
    readonly provider: 'none' | 'steady' | 'moody' | 'ends';
    readonly probe: boolean;
    readonly perConnection: boolean;
    readonly maxQueued: number;
    readonly maxBytes: number;
    /** Plain: it sends something in its `open` listeners. */
    readonly greets: boolean;
  };
  readonly browser: {
    readonly engine: EngineName;
    readonly tabs: number;
    readonly locks: boolean;
    readonly storage: boolean;
    readonly worker: boolean;
  };
  readonly net: {
    readonly rttMs: number;
    /** Part of the latency that varies. */
    readonly jitter: number;
    /** Packets that arrive a retransmission late. */
    readonly loss: number;
    readonly nodes: number;
    /** `balancer`: one address; `fresh`: the same, a path per dial; `list`: one address per node. */
    readonly addressing: 'balancer' | 'fresh' | 'list';
    readonly checkMs: number;
    readonly checkSees: 'app' | 'gateway';
  };
  readonly server: {
    /** DDP: hears nothing before it has said `connected`, and says that so late; 0: it hears everything at once. */
    readonly patientMs: number;
    readonly subMs: number;
    readonly methodMs: number;
    /** A plain server speaks at least so often, ms; 0: it is quiet. */
    readonly speaksMs: number;
    /** The nodes tell how widely to spread if they die. */
    readonly spreadMs: number;
    /** DDP: others write whenever a subscription has become ready, so that data changes while more of it is on its way. */
    readonly busy: boolean;
  };
  readonly steps: readonly Step[];
  /** From then on all is well. */
  readonly healAt: number;
}

type On<What> = What & { readonly at: number };

/** What happens to machines and networks. */
export type Fault =
  | { readonly do: 'crash' | 'start' | 'hang' | 'resume' | 'vanish' | 'mute' | 'off'; readonly node: number }
  | {
      readonly do: 'appear';
      readonly node: number;
      readonly forgets: 'resets' | 'silent' | 'nothing';
    }
  | { readonly do: 'drain'; readonly node: number; readonly afterMs: number; readonly spreadMs: number }
  | { readonly do: 'end'; readonly node: number; readonly code: number }
  | { readonly do: 'gateway'; readonly node: number; readonly gateway: Gateway }
  | { readonly do: 'slow'; readonly node: number; readonly ms: number }
  | { readonly do: 'overload'; readonly node: number; readonly perSecond: number; readonly queue: number }
  | { readonly do: 'misjudge'; readonly node: number; readonly ms: number }
  | { readonly do: 'stall'; readonly tab: number; readonly ms: number; readonly way: 'up' | 'down' | 'both' }
  | { readonly do: 'roam' | 'touch' | 'hideTab' | 'showTab' | 'offline' | 'online'; readonly tab: number }
  | { readonly do: 'freeze' | 'bfcache' | 'sleep'; readonly tab: number; readonly ms: number };

/** What an app is told by a callback. */
export type Moment =
  | 'status'
  | 'attempt'
  | 'suspect'
  | 'drain'
  | 'down'
  | 'up'
  | 'failover'
  | 'open'
  | 'message'
  | 'document'
  | 'ready';

/** What the app does, and the people who use it. */
export type Work =
  | { readonly do: 'reconnect' | 'close'; readonly tab: number }
  // plain
  | { readonly do: 'send'; readonly tab: number; readonly count: number }
  | { readonly do: 'set' | 'delete'; readonly tab: number; readonly key: string }
  /** The server takes the token no more. */
  | { readonly do: 'revoke' }
  // ddp
  | { readonly do: 'sub'; readonly tab: number; readonly pub: string }
  | { readonly do: 'stop'; readonly tab: number; readonly nth: number }
  | {
      readonly do: 'call';
      readonly tab: number;
      readonly method: 'put' | 'remove' | 'fail' | 'slow';
      readonly doc: number;
      readonly retry: boolean;
      readonly wait: boolean;
      readonly timeoutMs: number;
      readonly abortMs: number | undefined;
    }
  | { readonly do: 'login' | 'logout'; readonly tab: number }
  | { readonly do: 'write'; readonly doc: number; readonly what: 'put' | 'remove' }
  /** Inside the next callback of that kind. */
  | { readonly do: 'within'; readonly tab: number; readonly moment: Moment; readonly what: Work };

export type Step = On<Fault> | On<Work>;
