import type { Patch } from '../bundle.ts';

/** Faults put into the library on purpose. Each is small, passes a casual look, and must be found. */
export const PLANTED: Readonly<Record<string, readonly Patch[]>> = {
  'a call with retry: false is sent again': [
    {
      file: 'ddp/methods.ts',
      find: '(!call.retry && call.epoch > 0) ||',
      replace: '',
    },
    {
      file: 'ddp/methods.ts',
      find: '(call) => !call.retry && call.epoch === epoch && !call.result',
      replace: '(call) => !call.retry && call.epoch > epoch',
    },
  ],
  'frames of the connection before still reach the app after a handover': [
    {
      file: 'core/link/serving.ts',
      find: '    current?.detach();\n    current = undefined;',
      replace:
        '    const gone = current;\n    env.setTimeout(() => gone?.detach(), 500);\n    current = undefined;',
    },
    {
      file: 'core/link/inbound.ts',
      find: '    if (connection === serving.current) {\n      // As in WebSocket',
      replace:
        '    if (connection === serving.current || connection.openedAt! < (serving.current?.openedAt ?? 0)) {\n      // As in WebSocket',
    },
  ],
  'hedges are not taken from the budget': [
    {
      file: 'core/rules/machine.ts',
      find: 'memory: standby ? machine.memory : spendDial(policy, machine.memory, now),',
      replace:
        "memory: standby || state.name === 'suspect' ? machine.memory : spendDial(policy, machine.memory, now),",
    },
  ],
  'a timer is left after close': [
    {
      file: 'core/link/link.ts',
      find: '  #dispose(): void {\n    this.#heartbeat.stop();',
      replace: '  #dispose(): void {',
    },
  ],
  'a document that did not change raises an event after a failover': [
    {
      file: 'ddp/collections.ts',
      find: '    if (equal) return;\n',
      replace: '    if (equal && old === next) return;\n',
    },
  ],
  'a lone user waits as long as a crowd': [
    {
      file: 'core/rules/pacing.ts',
      find: 'return Math.max(announcedSpreadMs, policy.spreadMs)',
      replace: 'return Math.max(announcedSpreadMs, policy.capMs)',
    },
  ],
  'what is sent while the connection is suspect goes out': [
    {
      file: 'core/link/link.ts',
      find: "(name === 'online' || name === 'draining')",
      replace: "name !== 'seeking'",
    },
  ],
  'the registry is replayed in reverse': [
    {
      file: 'core/facade/failover-websocket.ts',
      find: 'for (const key of this.subscriptions.keys()) {\n        this.#pendingKeys',
      replace: 'for (const key of [...this.subscriptions.keys()].reverse()) {\n        this.#pendingKeys',
    },
  ],
};
