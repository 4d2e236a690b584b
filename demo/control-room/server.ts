import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { projectRoot } from '../../tools/run.ts';
import { ClusterError, type Cluster } from '../cluster/api.ts';
import { parseClientReport, type Telemetry } from '../cluster/telemetry.ts';
import { requestPath, serveFile } from '../http/files.ts';
import { readJson, Refusal, requireMethod, sendJson } from '../http/json.ts';
import { StateFeed } from './feed.ts';
import { findOrder, requireOwnPage } from './orders.ts';

const pageFolder = join(projectRoot, 'demo/control-room/page');
/** Holds the stylesheet that both pages share. */
const appFolder = join(projectRoot, 'demo/app');

const pageHeaders = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
};

/** The control room's HTTP server: its page, the cluster's state, orders to the cluster, and the reports of todo pages. */
export class ControlRoom {
  readonly #server: Server;
  /** The host names it answers to. A foreign name that resolves to this machine (DNS rebinding) gets nothing. */
  readonly #hosts: readonly string[];
  readonly #cluster: Cluster;
  readonly #telemetry: Telemetry;
  readonly #feed: StateFeed;

  /** @param server already listens on `port` */
  constructor(server: Server, port: number, cluster: Cluster, telemetry: Telemetry) {
    this.#server = server;
    this.#hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
    this.#cluster = cluster;
    this.#telemetry = telemetry;
    this.#feed = new StateFeed(() => cluster.state());
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Shows the cluster's new state on all open pages. */
  changed(): void {
    this.#feed.changed();
  }

  close(): Promise<void> {
    this.#feed.close();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response);
    } catch (error) {
      const status = statusOf(error);
      if (status === 500) console.error(error);
      // Otherwise the rest of a refused body would be read as the next request.
      if (!request.complete) response.setHeader('connection', 'close');
      sendJson(response, status, { error: (error as Error).message });
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = requestPath(request) ?? '';
    if (!this.#hosts.includes(request.headers.host ?? ''))
      throw new Refusal(403, `host must be one of ${this.#hosts.join(', ')}, not ${request.headers.host}`);
    if (!path.startsWith('/api/'))
      return serveFile(request, response, path === '/base.css' ? appFolder : pageFolder, pageHeaders);
    if (path === '/api/state') {
      requireMethod(request, 'GET');
      return sendJson(response, 200, await this.#cluster.state());
    }
    if (path === '/api/events') {
      requireMethod(request, 'GET');
      return this.#feed.watch(response);
    }
    if (path === '/api/clients') return this.#receiveReport(request, response);

    const order = findOrder(this.#cluster, path);
    if (order === undefined) throw new Refusal(404, `no such path: ${path}`);
    requireOwnPage(request);
    sendJson(response, 200, await order(await readJson(request)));
  }

  /** Todo pages have another origin. They send JSON as text/plain, so that no CORS preflight delays a report. */
  async #receiveReport(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('access-control-allow-origin', '*');
    requireMethod(request, 'POST');
    this.#telemetry.receive(parseClientReport(await readJson(request)));
    sendJson(response, 200, {});
  }
}

function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status;
  if (error instanceof RangeError) return 400;
  if (error instanceof ClusterError) return error.kind === 'state' ? 409 : 400;
  return 500;
}
