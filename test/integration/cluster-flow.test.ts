import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DelayLine } from '../../demo/net/delay-line.ts';
import { Flow } from '../../demo/net/flow.ts';
import { flowHash, pickByHash } from '../../demo/net/hash.ts';
import { HealthCheck } from '../../demo/net/health.ts';
import { listen } from '../../demo/net/ports.ts';
import { until } from '../support/cluster-tools.ts';

describe('the hash', () => {
  const tuple = (sourcePort: number) => ({
    sourceAddress: '127.0.0.1',
    sourcePort,
    address: '127.0.0.1',
    port: 4400,
  });

  it('spreads evenly over two nodes, also when all source ports are even', () => {
    for (const step of [1, 2]) {
      const ports = Array.from({ length: 4000 }, (_, i) => 32_768 + i * step);
      const share = ports.filter((port) => pickByHash(['a', 'b'], tuple(port)) === 'a').length / ports.length;
      expect(share).toBeGreaterThan(0.47);
      expect(share).toBeLessThan(0.53);
    }
  });

  it('depends on all of the tuple and on nothing else', () => {
    expect(flowHash(tuple(1))).toBe(flowHash(tuple(1)));
    const others = [
      { ...tuple(1), sourceAddress: '127.0.0.2' },
      tuple(2),
      { ...tuple(1), address: '127.0.0.2' },
      { ...tuple(1), port: 1 },
    ];
    expect(new Set([tuple(1), ...others].map(flowHash)).size).toBe(5);
    expect(pickByHash([], tuple(1))).toBeUndefined();
  });
});

describe('the delay line', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('delivers in order, each after its delay, and at once without one', () => {
    const line = new DelayLine();
    const out: string[] = [];
    const push = (name: string, delay: number) =>
      line.push(delay, 1, () => out.push(`${name}@${performance.now() - start}`));
    const start = performance.now();
    push('now', 0);
    expect(out).toEqual(['now@0']);
    push('slow', 50);
    vi.advanceTimersByTime(10);
    push('overtaken', 0);
    push('later', 60);
    expect(line.bytes).toBe(3);
    vi.advanceTimersByTime(100);
    expect(out).toEqual(['now@0', 'slow@50', 'overtaken@50', 'later@70']);
    expect([line.bytes, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('keeps what it has while frozen or blocked', () => {
    const line = new DelayLine();
    const out: number[] = [];
    line.frozen = true;
    line.push(10, 0, () => out.push(1));
    vi.advanceTimersByTime(100);
    expect(out).toEqual([]);
    line.push(10, 0, () => {
      out.push(2);
      line.blocked = true;
    });
    line.push(10, 0, () => out.push(3));
    line.frozen = false;
    expect(out).toEqual([1]);
    vi.advanceTimersByTime(100);
    expect(out).toEqual([1, 2]);
    line.blocked = false;
    expect(out).toEqual([1, 2, 3]);
    line.push(10, 5, () => out.push(4));
    line.clear();
    vi.advanceTimersByTime(100);
    expect([out, line.bytes, vi.getTimerCount()]).toEqual([[1, 2, 3], 0, 0]);
  });

  it('holds back what could not have been sent yet', () => {
    const line = new DelayLine();
    let delivered = false;
    line.push(10, 0, () => (delivered = true), performance.now() + 40);
    vi.advanceTimersByTime(48);
    expect(delivered).toBe(false);
    vi.advanceTimersByTime(2);
    expect(delivered).toBe(true);
  });
});

describe('the health check', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('asks at once and every interval; two failures eject, two successes bring back', async () => {
    const answers = [true, false, true, false, false, false, true, false, true, true, true];
    const verdicts: string[] = [];
    let asked = 0;
    const check: HealthCheck = new HealthCheck(
      () => Promise.resolve(answers[asked++] ?? true),
      1000,
      () => verdicts.push(`${asked}:${check.healthy}`),
    );
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(999);
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(10_001);
    expect(verdicts).toEqual(['5:false', '10:true']);
  });

  it('is healthy at once when admitted, and what a check under way says no longer counts', async () => {
    const answers = [false, false, false, false];
    const verdicts: boolean[] = [];
    const check: HealthCheck = new HealthCheck(
      () => {
        const answer = answers.shift() ?? true;
        return new Promise((resolve) => setTimeout(() => resolve(answer), 900));
      },
      1000,
      () => verdicts.push(check.healthy),
    );
    await vi.advanceTimersByTimeAsync(2050);
    expect(verdicts).toEqual([false]);
    // The third is under way; with the fourth it would make two failures in a row.
    check.admit();
    expect(check.healthy).toBe(true);
    await vi.advanceTimersByTimeAsync(5000);
    expect(verdicts).toEqual([false, true]);
  });
});

describe('a flow', () => {
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  async function serve(onSocket: (socket: Socket) => void): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      onSocket(socket);
    });
    servers.push(server);
    return listen(server, 0);
  }

  /** A client that reaches `upstream` through a flow; `front` is the balancer's end of its connection. */
  async function through(upstreamPort: number, rttMs: number) {
    const parts = {
      front: undefined as Socket | undefined,
      flow: undefined as Flow | undefined,
      closed: false,
      gone: 0,
    };
    const port = await serve((front) => {
      parts.front = front;
      parts.flow = new Flow(front, {
        port: upstreamPort,
        rtt: () => rttMs,
        frozen: false,
        onClientGone: () => parts.gone++,
        onClosed: () => (parts.closed = true),
      });
    });
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(client);
    const seen = { client, text: '', ended: false, error: '' };
    client.on('data', (chunk) => (seen.text += chunk));
    client.on('end', () => (seen.ended = true));
    client.on('error', (error: NodeJS.ErrnoException) => (seen.error = error.code ?? ''));
    return { seen, parts };
  }

  it.each([0, 20])('hands on FIN and keeps the other direction open (RTT %i)', async (rtt) => {
    const upstream = await serve((socket) => {
      let text = '';
      socket.on('data', (chunk) => (text += chunk));
      socket.on('end', () => socket.end(`you said ${text}`));
    });
    const { seen, parts } = await through(upstream, rtt);
    seen.client.end('hello');
    await until('the answer and its end', () => seen.ended);
    expect(seen).toMatchObject({ text: 'you said hello', error: '' });
    await until('the flow is closed', () => parts.closed);
  });

  it.each([0, 20])('hands on RST from the node (RTT %i)', async (rtt) => {
    const upstream = await serve((socket) => socket.on('data', () => socket.resetAndDestroy()));
    const { seen, parts } = await through(upstream, rtt);
    seen.client.write('hello');
    await until('the reset', () => seen.error);
    expect(seen).toMatchObject({ error: 'ECONNRESET', ended: false });
    await until('the flow is closed', () => parts.closed);
  });

  it.each([0, 20])('hands on RST from the client (RTT %i)', async (rtt) => {
    let error = '';
    let heard = false;
    const upstream = await serve((socket) => {
      socket.on('data', () => (heard = true));
      socket.on('error', (e: NodeJS.ErrnoException) => (error = e.code ?? ''));
    });
    const { seen, parts } = await through(upstream, rtt);
    seen.client.write('hello');
    await until('it arrives', () => heard);
    seen.client.resetAndDestroy();
    await until('the reset', () => error);
    expect(error).toBe('ECONNRESET');
    await until('the flow is closed', () => parts.closed);
    expect(parts.gone).toBeGreaterThan(0);
  });

  it('resets the client when nobody listens', async () => {
    const port = await serve(() => {});
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const { seen } = await through(port, 0);
    await until('the reset', () => seen.error);
    expect(seen.error).toBe('ECONNRESET');
  });

  it('pauses a sender whose receiver does not read, and loses nothing', async () => {
    const sent = randomBytes(24 * 1024 * 1024);
    const received = createHash('sha1');
    let bytes = 0;
    let receiver: Socket | undefined;
    const upstream = await serve((socket) => {
      receiver = socket.pause();
      socket.on('data', (chunk) => {
        received.update(chunk);
        bytes += chunk.length;
      });
      socket.pause();
    });
    const { seen, parts } = await through(upstream, 2);
    seen.client.end(sent);
    await until('the sender is paused', () => receiver && parts.front?.isPaused());
    expect(seen.client.writableLength).toBeGreaterThan(0);
    receiver?.resume();
    await until('everything has arrived', () => bytes === sent.length);
    expect(received.digest('hex')).toBe(createHash('sha1').update(sent).digest('hex'));
  });

  it('keeps everything in a black hole, FIN included, until it is healed', async () => {
    let text = '';
    let ended = false;
    const upstream = await serve((socket) => {
      socket.on('data', (chunk) => (text += chunk));
      socket.on('end', () => (ended = true));
    });
    const { seen, parts } = await through(upstream, 0);
    seen.client.write('1');
    await until('it arrives', () => text === '1');
    const { flow } = parts;
    if (!flow) throw new Error('no flow');
    flow.frozen = true;
    seen.client.end('2');
    await until('the client is noted as gone', () => parts.gone === 1);
    expect([text, ended, parts.closed]).toEqual(['1', false, false]);
    flow.frozen = false;
    await until('the rest', () => ended);
    expect(text).toBe('12');
  });
});
