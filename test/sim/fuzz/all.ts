import { ddpTargets } from './ddp.ts';
import { linkTargets } from './link.ts';
import { pureTargets } from './pure.ts';
import type { Target } from './targets.ts';

export const targets: readonly Target[] = [...ddpTargets, ...pureTargets, ...linkTargets];
