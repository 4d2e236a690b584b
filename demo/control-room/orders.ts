/** The orders a control room page can give: each path, and what it does to the cluster. */
import type { IncomingMessage } from 'node:http';
import { faults, nodeIds, type Cluster, type Fault, type NodeId } from '../cluster/api.ts';
import { Refusal, requireMethod } from '../http/json.ts';

type Order = (body: Record<string, unknown>) => Promise<object>;

/** The order behind a path, or `undefined` when there is none. The cluster checks the values. */
export function findOrder(cluster: Cluster, path: string): Order | undefined {
  if (path === '/api/rtt') return async ({ ms }) => (await cluster.setRtt(ms as number), {});
  if (path === '/api/health')
    return async ({ asks }) => (await cluster.setHealth(asks as 'gateway' | 'app'), {});
  const [, id, fault] = /^\/api\/nodes\/([^/]*)\/([^/]*)$/.exec(path) ?? [];
  if (id === undefined) return undefined;
  return () => {
    if (!nodeIds.includes(id as NodeId))
      throw new Refusal(404, `node must be one of ${nodeIds.join(', ')}, not "${id}"`);
    if (!faults.includes(fault as Fault))
      throw new Refusal(404, `fault must be one of ${faults.join(', ')}, not "${fault}"`);
    return cluster.apply(id as NodeId, fault as Fault);
  };
}

/**
 * Orders come from the control room's own page, or from no page at all. The content type makes a browser ask first
 * (a CORS preflight) before it lets another site's page send one.
 *
 * @throws Refusal 405, 403 or 415
 */
export function requireOwnPage(request: IncomingMessage): void {
  requireMethod(request, 'POST');
  const { headers } = request;
  const own = `http://${headers.host}`;
  if (headers.origin !== undefined && headers.origin !== own)
    throw new Refusal(403, `origin must be ${own}, not ${headers.origin}`);
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json')
    throw new Refusal(415, `content-type must be application/json, not ${type ?? 'absent'}`);
}
