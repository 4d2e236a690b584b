/** Helpers for tests of the demo cluster: sockets that record what they receive, waits for conditions, and process checks. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Cluster, NodeId } from '../../demo/cluster.ts';

/**
 * Calls `ask` every 5 ms until it returns something truthy.
 *
 * @throws Error that names `what` when it takes longer than `timeoutMs`
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  timeoutMs = 10_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`);
    await delay(5);
  }
}

/** A WebSocket that records everything it receives. */
export class Ear {
  readonly socket: WebSocket;
  readonly heard: string[] = [];
  closed: { code: number; reason: string } | undefined;
  error: Error | undefined;

  constructor(url: string) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), { perMessageDeflate: false });
    this.socket.on('message', (data) => this.heard.push(String(data)));
    this.socket.on('error', (error) => (this.error = error));
    this.socket.on('close', (code, reason) => (this.closed = { code, reason: String(reason) }));
  }

  async opened(): Promise<this> {
    await until('the socket opens', () => this.socket.readyState === WebSocket.OPEN || this.closed);
    if (this.socket.readyState !== WebSocket.OPEN)
      throw this.error ?? new Error('The socket closed before it opened.');
    return this;
  }

  /** Waits for the first recorded message that fits, parsed as JSON. Removes it and all before it from the record. */
  async next<T = Record<string, unknown>>(fits: (message: T) => boolean = () => true): Promise<T> {
    return until(`a message that fits ${fits} among ${this.heard.join(' ').slice(0, 500)}`, () => {
      const found = this.heard.findIndex((text) => fits(JSON.parse(text) as T));
      if (found < 0) return undefined;
      return JSON.parse(this.heard.splice(0, found + 1)[found] as string) as T;
    });
  }

  /** Clears the record. */
  taken(): this {
    this.heard.length = 0;
    return this;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  close(): void {
    this.socket.terminate();
  }
}

/** Connects to the plain endpoint, again and again, until the balancer's hash assigns the wanted node. */
export async function reach(cluster: Cluster, node: NodeId): Promise<Ear> {
  return until(`a connection that is served by ${node}`, async () => {
    const ear = new Ear(`${cluster.url}/ws`);
    const served = await until('an answer', () => (ear.error ? 'none' : ear.heard[0]));
    if (served.startsWith(`{"msg":"node","id":"${node}"`)) return ear.taken();
    ear.close();
    return undefined;
  });
}

/** Address of a node's gateway, which bypasses the balancer. */
export async function nodeUrl(cluster: Cluster, id: NodeId): Promise<string> {
  return `http://127.0.0.1:${(await stateOf(cluster, id)).port}`;
}

export async function stateOf(cluster: Cluster, id: NodeId) {
  const node = (await cluster.state()).nodes.find((candidate) => candidate.id === id);
  if (!node) throw new Error(`The cluster has no node ${id}.`);
  return node;
}

interface ProcessInfo {
  pid: number;
  parent: number;
  /** The kernel's state letter (proc_pid_stat(5)): T for stopped, Z for ended but not yet collected. */
  state: string;
}

export function processInfo(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, parent: Number(parent), state };
  } catch {
    return undefined;
  }
}

/** Process ids of the living children that a cluster in process `parent` has started. */
export function clusterProcesses(parent: number): number[] {
  return readdirSync('/proc')
    .map((name) => (/^\d+$/.test(name) ? processInfo(Number(name)) : undefined))
    .filter((info) => info?.parent === parent && info.state !== 'Z')
    .map((info) => info?.pid as number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('.cache/demo/');
      } catch {
        return false;
      }
    });
}

export function isGone(pid: number): boolean {
  const info = processInfo(pid);
  return info === undefined || info.state === 'Z';
}
