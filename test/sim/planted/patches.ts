import type { Patch } from '../bundle.ts';

/** Faults put into the library on purpose. Each is small, passes a casual look, and must be found. */
export const PLANTED: Readonly<Record<string, Patch>> = {
  'a call with retry: false is sent again': {
    file: 'ddp/methods.ts',
    find: '(!call.retry && call.epoch > 0) ||',
    replace: '',
  },
  'frames of the connection before still reach the app after a handover': {
    file: 'core/link.ts',
    find: '  function retire(): void {\n    if (!current) return;',
    replace: '  function retire(): void {\n    if (!current) return;\n    if (attempt === undefined && machine.state.name === "online") return;',
  },
  'hedges are not taken from the budget': {
    file: 'core/state.ts',
    find: 'memory: standby ? machine.memory : spendDial(policy, machine.memory, now),',
    replace: "memory: standby || state.name === 'suspect' ? machine.memory : spendDial(policy, machine.memory, now),",
  },
  'a timer is left after close': {
    file: 'core/link.ts',
    find: '  function dispose(): void {\n    heart.stop();',
    replace: '  function dispose(): void {',
  },
  'a lost connection keeps the documents of its half-finished replay': {
    file: 'ddp/collections.ts',
    find: '  hold(): void {\n    this.#shadow = new Map();',
    replace: '  hold(): void {\n    this.#shadow ??= new Map();',
  },
};
