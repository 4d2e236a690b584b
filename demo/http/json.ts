/** JSON over HTTP: reads request bodies, sends answers, and names what is wrong with a request. */
import type { IncomingMessage, ServerResponse } from 'node:http';

const maxBodyBytes = 64 * 1024;

/** A request that is answered with an error status. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** @throws Refusal 405 unless the request uses `method` */
export function requireMethod(request: IncomingMessage, method: 'GET' | 'POST'): void {
  if (request.method !== method) throw new Refusal(405, `method must be ${method}, not ${request.method}`);
}

/**
 * The body of a request as a JSON object; `{}` for an empty body.
 *
 * @throws Refusal 413 above 64 KiB, 400 for anything but a JSON object
 */
export async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
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

/** Answers with JSON, unless an answer has begun already or the client has left. */
export function sendJson(response: ServerResponse, status: number, value: object): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}
