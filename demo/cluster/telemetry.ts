/** What the todo pages report to the control room: checked, kept for a while, and counted by node. */
import type { ClientState, FailoverEntry, NodeId, PageView } from './api.ts';

/** A client that has been silent for this long is forgotten. Pages report every 5 s (demo/app/telemetry.js). */
const forgetAfterMs = 15_000;
const keptFailovers = 50;
/** Far more than a demo shows. Above it the client that has been silent longest is forgotten. */
const keptClients = 2000;

export interface ClientReport {
  id: string;
  status: string;
  node?: string;
  rttMs?: number;
  view?: PageView;
  report?: Record<string, unknown>;
  gone?: boolean;
}

const limits = { id: 64, status: 32, node: 32 };

const isText = (value: unknown): boolean =>
  typeof value === 'string' && value.length > 0 && value.length <= 100;
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isCount = (value: unknown): boolean => typeof value === 'number' && value >= 0;

const viewFields: Record<keyof PageView, (value: unknown) => boolean> = {
  policy: isText,
  warm: isFlag,
  standby: isText,
  leaving: isFlag,
  attempt: isCount,
  until: isCount,
  probe: isText,
  suspicions: isCount,
  hedgesCancelled: isCount,
};

/**
 * Checks what a page has sent. Fields of the view that make no sense are dropped.
 *
 * @throws RangeError that names the field and its value
 */
export function parseClientReport(value: unknown): ClientReport {
  if (!isRecord(value)) throw new RangeError(`the body must be a JSON object, not ${formatValue(value)}`);
  const { id, status, node, rttMs, report, gone } = value;
  const text = (name: keyof typeof limits, field: unknown): string => {
    if (typeof field === 'string' && field.length > 0 && field.length <= limits[name]) return field;
    throw new RangeError(
      `${name} must be a string of 1 to ${limits[name]} characters, not ${formatValue(field)}`,
    );
  };
  if (rttMs !== undefined && !(typeof rttMs === 'number' && rttMs >= 0 && rttMs <= 600_000)) {
    throw new RangeError(`rttMs must be a number from 0 to 600000, not ${formatValue(rttMs)}`);
  }
  if (report !== undefined && !isRecord(report))
    throw new RangeError(`report must be an object, not ${formatValue(report)}`);
  if (gone !== undefined && typeof gone !== 'boolean')
    throw new RangeError(`gone must be a boolean, not ${formatValue(gone)}`);
  return {
    id: text('id', id),
    status: text('status', status),
    ...(node !== undefined && { node: text('node', node) }),
    ...(rttMs !== undefined && { rttMs }),
    view: Object.fromEntries(
      Object.entries(viewFields).flatMap(([name, holds]) =>
        holds(value[name]) ? [[name, value[name]]] : [],
      ),
    ),
    ...(report !== undefined && { report }),
    ...(gone !== undefined && { gone }),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const formatValue = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 100);

/** The known todo pages and their latest failovers. */
export class Telemetry {
  readonly #clients = new Map<string, ClientState>();
  #failovers: FailoverEntry[] = [];
  readonly #sweeper: NodeJS.Timeout;

  constructor(
    private readonly onChange: () => void,
    private readonly now: () => number = Date.now,
  ) {
    this.#sweeper = setInterval(() => this.sweep(), 1000);
  }

  get clients(): ClientState[] {
    return [...this.#clients.values()];
  }

  /** Oldest first. */
  get failovers(): readonly FailoverEntry[] {
    return this.#failovers;
  }

  /** Number of pages that a node serves. */
  count(node: NodeId): number {
    return this.clients.filter((client) => client.node === node).length;
  }

  receive({ id, status, node, rttMs, view, report, gone }: ClientReport): void {
    const lastSeen = this.now();
    // Deleted first, so that the map is ordered by the time of the last report.
    this.#clients.delete(id);
    if (!gone) {
      this.#clients.set(id, {
        ...view,
        id,
        status,
        ...(node !== undefined && { node }),
        ...(rttMs !== undefined && { rttMs }),
        lastSeen,
      });
    }
    for (const oldest of this.#clients.keys()) {
      if (this.#clients.size <= keptClients) break;
      this.#clients.delete(oldest);
    }
    if (report)
      this.#failovers = [...this.#failovers, { clientId: id, at: lastSeen, report }].slice(-keptFailovers);
    this.onChange();
  }

  /** Forgets clients that have fallen silent. */
  sweep(): void {
    const silent = this.clients.filter(({ lastSeen }) => this.now() - lastSeen >= forgetAfterMs);
    for (const { id } of silent) this.#clients.delete(id);
    if (silent.length > 0) this.onChange();
  }

  clear(): void {
    this.#clients.clear();
    this.#failovers = [];
    this.onChange();
  }

  close(): void {
    clearInterval(this.#sweeper);
  }
}
