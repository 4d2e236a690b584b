import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Cluster } from '../cluster.ts';
import { projectRoot } from '../server/processes.ts';
import { requestPath, serveFile } from '../server/static.ts';
import { ClusterError, faults, nodeIds, type Fault, type NodeId } from '../server/state.ts';
import { parseClientReport, type Telemetry } from '../server/telemetry.ts';

const maxBodyBytes = 64 * 1024;
/** Between two pushes of the state. */
const pushIntervalMs = 100;

const pageHeaders = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
};

/** An answer other than 200. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The control room's HTTP side: its page, the cluster's state, orders to the cluster, and the todo pages' reports. */
export class ControlRoom {
  readonly #server: Server;
  /** Hosts it answers to: a page of another name that resolves to this machine gets nothing. */
  readonly #hosts: readonly string[];
  readonly #cluster: Cluster;
  readonly #telemetry: Telemetry;
  readonly #watchers = new Set<ServerResponse>();
  #pushing: NodeJS.Timeout | undefined;
  #lastPush = -Infinity;

  /** @param server listens on `port` already */
  constructor(server: Server, port: number, cluster: Cluster, telemetry: Telemetry) {
    this.#server = server;
    this.#hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
    this.#cluster = cluster;
    this.#telemetry = telemetry;
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Pushes the state to all watchers, soon, and at most ten times a second. */
  changed(): void {
    if (this.#watchers.size === 0) return;
    this.#pushing ??= setTimeout(
      () => {
        this.#pushing = undefined;
        this.#lastPush = performance.now();
        for (const watcher of this.#watchers) void this.#push(watcher);
      },
      Math.max(0, this.#lastPush + pushIntervalMs - performance.now()),
    );
  }

  close(): Promise<void> {
    clearTimeout(this.#pushing);
    this.#watchers.clear();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response);
    } catch (error) {
      const status = error instanceof Refusal ? error.status : statusOf(error);
      if (status === 500) console.error(error);
      // The rest of a refused body would be read as the next request.
      if (!request.complete) response.setHeader('connection', 'close');
      sendJson(response, status, { error: (error as Error).message });
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = requestPath(request) ?? '';
    if (!this.#hosts.includes(request.headers.host ?? '')) {
      throw new Refusal(403, `host must be one of ${this.#hosts.join(', ')}, not ${request.headers.host}`);
    }
    if (!path.startsWith('/api/')) {
      const room = path === '/base.css' ? 'app' : 'control-room';
      return serveFile(request, response, join(projectRoot, 'demo', room), pageHeaders);
    }
    if (path === '/api/state') return this.#get(request, response);
    if (path === '/api/events') return this.#watch(request, response);
    if (path === '/api/clients') return this.#receiveReport(request, response);

    const order = this.#order(path);
    if (order === undefined) throw new Refusal(404, `no such path: ${path}`);
    this.#requireOwnPage(request);
    sendJson(response, 200, await order(await readJson(request)));
  }

  #order(path: string): ((body: Record<string, unknown>) => Promise<object>) | undefined {
    if (path === '/api/rtt') {
      return async ({ ms }) => {
        await this.#cluster.setRtt(ms as number);
        return {};
      };
    }
    if (path === '/api/health') {
      return async ({ asks }) => {
        await this.#cluster.setHealth(asks as 'gateway' | 'app');
        return {};
      };
    }
    const [, id, fault] = /^\/api\/nodes\/([^/]*)\/([^/]*)$/.exec(path) ?? [];
    if (id === undefined) return undefined;
    return () => {
      if (!nodeIds.includes(id as NodeId))
        throw new Refusal(404, `node must be one of ${nodeIds.join(', ')}, not "${id}"`);
      if (!faults.includes(fault as Fault)) {
        throw new Refusal(404, `fault must be one of ${faults.join(', ')}, not "${fault}"`);
      }
      return this.#cluster.apply(id as NodeId, fault as Fault);
    };
  }

  /** Orders come from our own page, or from no page at all. */
  #requireOwnPage({ method, headers }: IncomingMessage): void {
    if (method !== 'POST') throw new Refusal(405, `method must be POST, not ${method}`);
    const { origin } = headers;
    if (origin !== undefined && origin !== `http://${headers.host}`) {
      throw new Refusal(403, `origin must be http://${headers.host}, not ${origin}`);
    }
    const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (type !== 'application/json')
      throw new Refusal(415, `content-type must be application/json, not ${type ?? 'absent'}`);
  }

  async #get({ method }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (method !== 'GET') throw new Refusal(405, `method must be GET, not ${method}`);
    sendJson(response, 200, await this.#cluster.state());
  }

  async #watch({ method }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (method !== 'GET') throw new Refusal(405, `method must be GET, not ${method}`);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.#watchers.add(response);
    response.on('close', () => this.#watchers.delete(response));
    await this.#push(response);
  }

  async #push(watcher: ServerResponse): Promise<void> {
    // One that does not keep up misses states in between, never the memory of this process.
    if (watcher.writableLength > maxBodyBytes) return;
    watcher.write(`data: ${JSON.stringify(await this.#cluster.state())}\n\n`);
  }

  /** From the todo pages, which have another origin; sent as text/plain so that no preflight delays it. */
  async #receiveReport(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('access-control-allow-origin', '*');
    if (request.method !== 'POST') throw new Refusal(405, `method must be POST, not ${request.method}`);
    this.#telemetry.receive(parseClientReport(await readJson(request)));
    sendJson(response, 200, {});
  }
}

/** The body as JSON; an empty one counts as `{}`. */
async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Refusal(413, `the body must not exceed ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, `the body must be JSON, not ${JSON.stringify(text.slice(0, 100))}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Refusal(400, `the body must be a JSON object, not ${JSON.stringify(text.slice(0, 100))}`);
}

function statusOf(error: unknown): number {
  if (error instanceof RangeError) return 400;
  if (error instanceof ClusterError) return error.kind === 'state' ? 409 : 400;
  return 500;
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}
