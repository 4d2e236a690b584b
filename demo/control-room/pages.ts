/** What a todo page tells of itself beyond its status, its node and its round trip; shown as it comes, nothing counts on it. */
import type { ClientState, ClusterState } from '../server/state.ts';

/** Each part is missing where the page did not say it, or said nonsense. */
export interface PageView {
  /** The policy in its address. */
  policy?: string;
  /** It was asked to keep a warm standby. */
  warm?: boolean;
  /** The node its standby leads to. */
  standby?: string;
  /** Its node has announced its end; the page is still served by it. */
  leaving?: boolean;
  /** The dial under way or next, from 1. */
  attempt?: number;
  /** When the next dial goes out, Unix time (ms). */
  until?: number;
  /** What the last probe found, in words. */
  probe?: string;
  suspicions?: number;
  /** Replacements that were not needed because the link answered after all. */
  hedgesCancelled?: number;
}

const kinds: Record<keyof PageView, (value: unknown) => boolean> = {
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

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= 100;
}
function isFlag(value: unknown): boolean {
  return typeof value === 'boolean';
}
function isCount(value: unknown): boolean {
  return typeof value === 'number' && value >= 0;
}

/** As many as the cluster keeps of pages. */
const keptViews = 2000;

export class PageViews {
  readonly #views = new Map<string, PageView>();

  /** @param body a report that has been checked already */
  receive(id: string, body: Record<string, unknown>): void {
    const view = Object.entries(kinds).flatMap(([name, holds]) =>
      holds(body[name]) ? [[name, body[name]]] : [],
    );
    this.#views.delete(id);
    this.#views.set(id, Object.fromEntries(view) as PageView);
    for (const oldest of this.#views.keys()) {
      if (this.#views.size <= keptViews) break;
      this.#views.delete(oldest);
    }
  }

  /** The state with what its pages say; forgets those that are not in it any more. */
  addTo(state: ClusterState): Omit<ClusterState, 'clients'> & { clients: (ClientState & PageView)[] } {
    const clients = state.clients.map((client) => ({ ...this.#views.get(client.id), ...client }));
    for (const id of this.#views.keys()) {
      if (!state.clients.some((client) => client.id === id)) this.#views.delete(id);
    }
    return { ...state, clients };
  }
}
