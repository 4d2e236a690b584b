/** Runs in each page before anything else: counts what is alive, and plays a person who adds, counts and removes todos all the time. */
(() => {
  const alive = { sockets: 0, workers: 0, timers: new Set() };
  /** `--plant`: what a leak would look like. */
  const kept = [];

  const Native = WebSocket;
  window.WebSocket = class extends Native {
    constructor(...args) {
      super(...args);
      alive.sockets++;
      this.addEventListener('close', () => {
        alive.sockets--;
        if (soak.plant) kept.push(this);
      });
    }
  };
  const NativeWorker = Worker;
  window.Worker = class extends NativeWorker {
    constructor(...args) {
      super(...args);
      alive.workers++;
    }
    terminate() {
      alive.workers--;
      super.terminate();
    }
  };
  const { setTimeout: set, clearTimeout: clear } = window;
  window.setTimeout = (fn, ms, ...args) => {
    const id = set(() => {
      alive.timers.delete(id);
      fn(...args);
    }, ms);
    alive.timers.add(id);
    return id;
  };
  window.clearTimeout = (id) => {
    alive.timers.delete(id);
    clear(id);
  };

  /** Todos of its own that a page keeps at any time. */
  const OWN = 20;

  const soak = (window.soak = {
    plant: false,
    /** Calls that have not settled. */
    pending: 0,
    made: 0,
    /** What went wrong; nothing should. */
    errors: [],
    /** Keys of counters since they were last asked for, which were raised by a call that may run once. */
    counted: [],
    unconfirmed: 0,
    alive: () => ({ ...alive, timers: alive.timers.size }),
    status: () => soak.ddp.status.name,
    stats: () => soak.ddp.link.stats(),

    start(prefix, options, everyMs) {
      // V8 keeps the texts of numbers in two caches, one for integers and one for the rest (Chromium 156). Each grows once, by 3 to 5 % of
      // this heap, when many have been asked for.
      for (let i = 0; i < 20_000; i++) {
        String(i);
        String(i + 0.5);
      }
      soak.ddp = new window.failover.DDPClient(`ws://${location.host}/websocket/{attempt}`, options);
      soak.ddp.on('error', (error) => soak.errors.push(String(error)));
      soak.ddp.subscribe('todos');
      Object.assign(soak, { prefix, everyMs, n: 0, own: new Set() });
      soak.resume();
    },
    resume() {
      soak.timer = setInterval(tick, soak.everyMs);
    },
    /** No new calls; resolves true when all have settled, false if that takes longer. */
    async rest(limitMs) {
      clearInterval(soak.timer);
      const end = performance.now() + limitMs;
      while (soak.pending && performance.now() < end) await new Promise((resolve) => set(resolve, 20));
      return soak.pending === 0;
    },
    /** Its own todos as the app sees them, and as they should be. */
    account: () => ({
      seen: soak.ddp
        .collection('todos')
        .find(({ _id }) => _id.startsWith(soak.prefix))
        .map(({ _id }) => _id)
        .sort(),
      expected: [...soak.own].sort(),
    }),
    takeCounted: () => soak.counted.splice(0),
  });

  function call(method, params, options, done) {
    soak.pending++;
    soak.made++;
    soak.ddp.apply(method, params, options).then(
      (value) => {
        soak.pending--;
        done?.(value);
      },
      (error) => {
        soak.pending--;
        if (error.kind === 'unconfirmed') soak.unconfirmed++;
        else soak.errors.push(`${method}: ${error}`);
      },
    );
  }

  function tick() {
    const { prefix, own } = soak;
    const n = soak.n++;
    const id = `${prefix}-${n}`;
    own.add(id);
    call('todos.add', [id, `todo ${n}`], { timeoutMs: Infinity });
    call('todos.setDone', [id, true], { timeoutMs: Infinity });
    soak.counted.push(id);
    call('count', [id], { timeoutMs: Infinity, retry: false });
    if (n < OWN) return;
    const old = `${prefix}-${n - OWN}`;
    own.delete(old);
    call('todos.remove', [old], { timeoutMs: Infinity });
  }
})();
