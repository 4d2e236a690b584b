/** Static files over HTTP. */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, resolve, sep } from 'node:path';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

/** The decoded path of a request's URL, without its query. `undefined` when it is malformed. */
export function requestPath(request: IncomingMessage): string | undefined {
  try {
    return decodeURIComponent((request.url ?? '/').split('?', 1)[0] ?? '/');
  } catch {
    return undefined;
  }
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

/**
 * Answers GET and HEAD with a file below `directory`; `/` is its index.html. Everything else gets 404 or 405. A path may hold
 * letters, digits, `-`, `_` and single dots only: that keeps hidden files and everything outside the directory out of reach.
 * Only the types above are served, so the TypeScript sources are not.
 *
 * @param headers sent with every file
 */
export async function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  directory: string,
  headers: Record<string, string>,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return sendText(response, 405, 'method not allowed');
  }
  const path = requestPath(request);
  const file = resolve(directory, `.${path === '/' ? '/index.html' : path}`);
  const plain = path !== undefined && /^\/([\w-]+(\.[\w-]+)*\/?)*$/.test(path);
  const type = types[extname(file)];
  if (!plain || type === undefined || !file.startsWith(directory + sep))
    return sendText(response, 404, 'not found');
  let content: Buffer;
  try {
    content = await readFile(file);
  } catch {
    return sendText(response, 404, 'not found');
  }
  response.writeHead(200, {
    'content-type': type,
    'content-length': content.length,
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}
