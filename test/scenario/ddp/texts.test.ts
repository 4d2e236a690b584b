import { describe, expect, it, vi } from 'vitest';
import type { DDPOptions } from '../../../src/ddp/index.ts';
import {
  failed,
  logIn,
  virtualTime,
  world,
  type World,
  ready,
  connected,
} from '../../support/ddp-harness.ts';

// Nobody branches on these texts. They must say what came, what was expected and what to do.
virtualTime();

const message = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'resolved',
    (error: Error) => error.message,
  );

/** A connected client, and the texts of its events. */
async function start(options: DDPOptions = {}): Promise<World & { texts: string[] }> {
  const all = world(options);
  const texts: string[] = [];
  all.ddp.on('error', (error) => texts.push(error.message));
  all.ddp.on('warning', (warning) => texts.push(warning.message));
  await all.link.connect();
  return { ...all, texts };
}

describe('a call says why it rejects', () => {
  it('aborted', async () => {
    const { ddp, link } = await start();
    const controller = new AbortController();
    const { signal } = controller;
    const sent = message(ddp.apply('pay', [], { signal }));
    link.down();
    const waiting = message(ddp.apply('pay', [], { signal }));
    controller.abort();
    expect(await sent).toBe('pay: its signal aborted the call. It was sent, so the server may have run it.');
    expect(await waiting).toBe('pay: its signal aborted the call. It was not sent.');
    expect(await message(ddp.apply('pay', [], { signal }))).toBe(
      'pay: its signal was aborted before the call. It was not sent.',
    );
    ddp.close();
  });

  it('too late', async () => {
    const { ddp, link } = await start();
    const sent = message(ddp.apply('pay', [], { timeoutMs: 500 }));
    link.down();
    const waiting = message(ddp.apply('pay', [], { timeoutMs: 500 }));
    await vi.advanceTimersByTimeAsync(500);
    const advice = 'Raise timeoutMs (or callTimeoutMs) if outages or the server take longer.';
    expect(await sent).toBe(
      `pay: no answer within 500 ms. It was sent, so the server may have run it. ${advice}`,
    );
    expect(await waiting).toBe(`pay: no answer within 500 ms. It was not sent. ${advice}`);
    ddp.close();
  });

  it('unconfirmed', async () => {
    const { ddp, link } = await start();
    const call = message(ddp.apply('pay', [], { retry: false }));
    link.down();
    expect(await call).toBe(
      'pay: the connection ended before the answer. The server may or may not have run the call, and `retry: false` forbids sending it again.',
    );
    ddp.close();
  });

  it('too many wait', async () => {
    const { ddp, link } = await start({ queue: { maxMessages: 1, maxBytes: 5_000 } });
    link.down();
    const first = message(ddp.call('pay'));
    expect(await message(ddp.call('pay'))).toBe(
      'pay: the queue of calls that wait for a connection is full (1 messages, 5000 bytes). Retry later, or raise queue.maxMessages and queue.maxBytes.',
    );
    ddp.close();
    expect(await first).toBe('The DDPClient is closed. Make a new one to connect again.');
  });

  it('a result that cannot be read', async () => {
    const { ddp, link, texts } = await start();
    const call = message(ddp.call('pay'));
    link.receive({ msg: 'result', id: link.id('pay'), result: { $regexp: '(', $flags: '' } });
    expect(await call).toMatch(
      /^The server sent a result that cannot be read\. Invalid regular expression: /,
    );
    expect(texts).toEqual([await call]);
    ddp.close();
  });
});

describe('a subscription says why it is not ready', () => {
  it('stopped, or ended without an error', async () => {
    const { ddp, link } = await start();
    const [stopped, ended] = [ddp.subscribe('news'), ddp.subscribe('todos')];
    stopped.stop();
    link.receive({ msg: 'nosub', id: link.id('todos') });
    expect(await message(stopped.ready)).toBe('news: the subscription was stopped before it was ready.');
    expect(await message(ended.ready)).toBe('todos: the server ended the subscription without an error.');
    ddp.close();
  });
});

describe('an event says what happened', () => {
  it('frames that are not understood', async () => {
    const { ddp, link, texts } = await start();
    link.receive(
      '[]',
      '{"msg":"removed","collection":5,"id":"a"}',
      { msg: 'ready', subs: 'a' },
      { msg: 'novel' },
    );
    link.receive({ msg: 'error', reason: 'Bad request', offendingMessage: { msg: 'sub', id: '9' } });
    link.receive({ msg: 'error', reason: 'Bad request' });
    expect(texts).toEqual([
      'The server sent a malformed frame, which was dropped: "[]". frame: expected an object, got an array',
      'The server sent a malformed frame, which was dropped: "{\\"msg\\":\\"removed\\",\\"collection\\":5,\\"id\\":\\"a\\"}". collection: expected a string, got 5',
      'The server sent a malformed frame, which was dropped: "{\\"msg\\":\\"ready\\",\\"subs\\":\\"a\\"}". subs: expected an array of strings, got "a"',
      'The server sent a message of the unknown kind "novel". It was dropped.',
      'The server rejected a message of kind "sub" of this client: "Bad request"',
      'The server rejected a message of this client: "Bad request"',
    ]);
    ddp.close();
  });

  it.each([
    [403, 'The server no longer accepts the token: log in again.', undefined],
    [500, 'The next connection tries again.', 't'],
  ])('a login that is not resumed, %s', async (error, advice, token) => {
    const stored = new Map<string, string>();
    const tokenStorage = {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
      removeItem: (key: string) => void stored.delete(key),
    };
    const all = await start({ tokenStorage });
    const { ddp, link, texts } = all;
    await logIn(all);
    link.down();
    await link.connect();
    link.receive(failed(link.id('login'), { error, reason: 'No' }));
    await vi.advanceTimersByTimeAsync(0);
    expect(texts).toEqual([`The login could not be resumed (No [${error}]). ${advice}`]);
    expect(stored.get('ddp.loginToken')).toBe(token);
    ddp.close();
  });

  it('documents that are shown before all is ready', async () => {
    const { ddp, link, texts } = await start({ quiescenceTimeoutMs: 2_000 });
    ddp.subscribe('news');
    link.receive(ready(link.id('news')));
    link.down();
    await link.open();
    link.receive(connected);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(texts).toEqual([
      'Not all awaited answers (to connect, login, subscriptions) arrived within 2000 ms, 1 is missing. Documents are shown as far as they are known. None is removed before these answers arrive.',
    ]);
    ddp.close();
  });

  it('no version in common', async () => {
    const all = world();
    const texts: string[] = [];
    all.ddp.on('error', (error) => texts.push(error.message));
    const call = message(all.ddp.call('pay'));
    await all.link.open();
    all.link.receive({ msg: 'failed', version: '9' });
    expect(texts).toEqual([
      'No common DDP version: the server refused the offered one and asks for "9". This client speaks 1, pre2, pre1. It is closed now.',
    ]);
    expect(await call).toBe(texts[0]);
  });
});
