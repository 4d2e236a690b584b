import { describe, expect, it, vi } from 'vitest';
import { failed, result, state, updated, world, type World, virtualTime } from '../../support/ddp-harness.ts';

virtualTime();

/** Answers the login under way. */
const welcome = ({ link }: World, token: string, method = 'login') => {
  const id = link.id(method);
  link.receive(result(id, { id: 'u1', token }), updated(id));
};
const storage = () => {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
};

describe('with a password', () => {
  it.each([
    ['ada', { username: 'ada' }],
    ['ada@example.org', { email: 'ada@example.org' }],
    [{ id: 'u1' }, { id: 'u1' }],
  ])('%j: what leaves is its SHA-256 digest', async (user, sent) => {
    vi.useRealTimers();
    const all = world();
    await all.link.connect();
    const login = all.ddp.loginWithPassword(user, 'abc');
    await vi.waitFor(() => all.link.id('login'));
    // FIPS 180-2, B.1
    const digest = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(all.link.frames.at(-1)!.params).toEqual([
      { user: sent, password: { digest, algorithm: 'sha-256' } },
    ]);
    welcome(all, 't');
    expect([await state(login), all.ddp.userId]).toEqual([{ id: 'u1', token: 't' }, 'u1']);
    all.ddp.close();
    vi.useFakeTimers();
  });

  it('where the browser does not digest (no secure page) the text itself, as the server takes it too', async () => {
    const { ddp, link } = world({ env: { subtle: undefined } });
    await link.connect();
    void ddp.loginWithPassword('ada', 'abc').catch(() => {});
    await vi.advanceTimersByTimeAsync(0);
    expect(link.frames.at(-1)!.params).toEqual([{ user: { username: 'ada' }, password: 'abc' }]);
    ddp.close();
  });
});

describe('another method', () => {
  it('that answers as `login` does is resumed the same way', async () => {
    const all = world();
    const { ddp, link } = all;
    await link.connect();
    void ddp.login({ email: 'a@b' }, 'createUser');
    welcome(all, 't1', 'createUser');
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'method login({"resume":"t1"})']);
    ddp.close();
  });
});

describe('a token that outlives the page', () => {
  it('is kept where the app says, used at the start, and forgotten at logout', async () => {
    const tokenStorage = storage();
    const first = world({ tokenStorage });
    await first.link.connect();
    void first.ddp.login({ user: 'u' });
    welcome(first, 't1');
    expect([...tokenStorage.kept]).toEqual([['ddp.loginToken', 't1']]);
    first.ddp.close();

    const second = world({ tokenStorage });
    second.ddp.subscribe('mine');
    await second.link.connect();
    const sub = second.link.frames.at(-1)!;
    expect(second.link.frames.map(({ msg }) => msg)).toEqual(['connect', 'method', 'sub']);
    welcome(second, 't2');
    expect([tokenStorage.kept.get('ddp.loginToken'), second.ddp.userId, sub.name]).toEqual([
      't2',
      'u1',
      'mine',
    ]);
    const out = second.ddp.logout();
    expect([tokenStorage.kept.size, second.ddp.userId]).toEqual([0, undefined]);
    const id = second.link.id('logout');
    second.link.receive(result(id), updated(id));
    await out;
    second.ddp.close();
  });

  it('is under the name the app chose', async () => {
    const tokenStorage = storage();
    tokenStorage.setItem('mine', 'old');
    const { ddp, link } = world({ tokenStorage, tokenKey: 'mine' });
    await link.open();
    expect(link.sent()).toEqual(['connect 1', 'method login({"resume":"old"})']);
    ddp.close();
  });

  it('refused: forgotten, told once, and not tried again', async () => {
    const tokenStorage = storage();
    tokenStorage.setItem('ddp.loginToken', 'old');
    const { ddp, link, events } = world({ tokenStorage });
    await link.connect();
    link.receive(failed(link.id('login'), { error: 403 }));
    await vi.advanceTimersByTimeAsync(0);
    expect([events, tokenStorage.kept.size]).toEqual([['error handshake'], 0]);
    link.down();
    await link.open();
    expect(link.sent()).toEqual(['connect 1']);
    ddp.close();
  });

  it('a storage that fails is reported; the login holds for this page', async () => {
    const broken = () => {
      throw new Error('quota');
    };
    const all = world({ tokenStorage: { getItem: broken, setItem: broken, removeItem: broken } });
    await all.link.connect();
    void all.ddp.login({ user: 'u' });
    welcome(all, 't1');
    all.link.down();
    await all.link.open();
    expect(all.link.sent()).toEqual(['connect 1', 'method login({"resume":"t1"})']);
    expect(all.reported.map(String)).toEqual(['Error: quota', 'Error: quota']);
    all.ddp.close();
  });

  it('what is no storage is a RangeError', () => {
    expect(() => world({ tokenStorage: 'local' as never })).toThrow(
      /tokenStorage: expected a Storage with getItem, setItem and removeItem, got "local"/,
    );
  });
});
