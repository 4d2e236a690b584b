/** The reverse proxy in front of each app node. It behaves like nginx: 502, 504, and a read timeout for silent apps. */
import { createServer, request, STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { serveParent } from '../processes/serve-parent.ts';
import { listen } from './ports.ts';

export interface GatewayOptions {
  /** Port to listen on; 0 picks a free one. */
  port: number;
  /** Port of the app. */
  appPort: number;
  /** How long the app may be silent, in ms: nginx's proxy_read_timeout. */
  timeoutMs: number;
}

let settings: GatewayOptions;
/** Process id of the app while SIGSTOP holds it: it cannot notice that the parent has ended. */
let hungPid: number | undefined;

const page = (status: number): string =>
  `<html><head><title>${status} ${STATUS_CODES[status]}</title></head>` +
  `<body><h1>${status} ${STATUS_CODES[status]}</h1></body></html>\n`;

function refuse(response: ServerResponse, status: number): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, {
    'content-type': 'text/html',
    'content-length': Buffer.byteLength(page(status)),
  });
  response.end(page(status));
}

function proxy(incoming: IncomingMessage, response: ServerResponse): void {
  if (incoming.url === '/gateway-health') return void response.writeHead(200).end('ok\n');
  const outgoing = request({
    host: '127.0.0.1',
    port: settings.appPort,
    method: incoming.method,
    path: incoming.url,
    // One connection per request, as nginx without `keepalive`: a kept connection may have died unnoticed.
    headers: [...endToEnd(incoming.rawHeaders), 'connection', 'close'],
    agent: false,
  });
  outgoing.setNoDelay(true);
  let failure = 502;
  outgoing.setTimeout(settings.timeoutMs, () => {
    failure = 504;
    outgoing.destroy(new Error('The app is silent.'));
  });
  outgoing.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer.rawHeaders));
    response.flushHeaders();
    answer.pipe(response);
    answer.on('error', () => response.destroy());
  });
  outgoing.on('error', () => refuse(response, failure));
  response.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}

/** Raw headers without those that concern a single hop. */
function endToEnd(raw: readonly string[]): string[] {
  return raw.filter((_, i) => !/^(connection|keep-alive)$/i.test(raw[i - (i % 2)] ?? ''));
}

function upgrade(incoming: IncomingMessage, client: Duplex, head: Buffer): void {
  const app = connect({ port: settings.appPort, host: '127.0.0.1', noDelay: true });
  (client as Socket).setNoDelay(true);
  let answered = false;
  let failure = 502;
  const silence = setTimeout(() => {
    failure = 504;
    app.destroy();
  }, settings.timeoutMs);

  app.write(requestHead(incoming));
  app.write(head);
  app.on('data', (chunk) => {
    answered = true;
    silence.refresh();
    if (!client.write(chunk)) app.pause();
  });
  client.on('drain', () => app.resume());
  client.pipe(app);

  // However the app's socket ended, the client gets what was answered, then a FIN.
  app.on('error', () => {});
  app.on('close', () => {
    clearTimeout(silence);
    if (!answered && client.writable) client.write(rawAnswer(failure));
    (client as Socket).destroySoon();
  });
  client.on('error', () => {});
  client.on('end', () => (client as Socket).destroySoon());
  client.on('close', () => app.destroySoon());
}

function requestHead({ method, url, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/1.1\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return `${head}\r\n`;
}

const rawAnswer = (status: number): string =>
  `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: text/html\r\ncontent-length: ${Buffer.byteLength(page(status))}\r\n` +
  `connection: close\r\n\r\n${page(status)}`;

const server = createServer({ keepAliveTimeout: 75_000 }, proxy);
server.on('upgrade', upgrade);

serveParent({
  start: (options: GatewayOptions) => {
    settings = options;
    return listen(server, options.port);
  },
  /** Takes the process id of a hung app, `null` when it runs again. */
  hung: (pid: number | null) => {
    hungPid = pid ?? undefined;
  },
});

process.on('exit', () => {
  if (hungPid !== undefined) process.kill(hungPid, 'SIGKILL');
});
