/**
 * Runs in each page before anything else: records every dial of whatever client is tested through its own WebSocket class, so that
 * all clients are measured alike, and plays a network that stalls. Instants are Unix time in ms, with fractions.
 */
(() => {
  const now = () => performance.timeOrigin + performance.now();
  const Native = WebSocket;
  /** Entries a list keeps: only the first ones after a fault are asked for, and long runs must not grow the page. */
  const KEPT = 100;
  const keep = (list, entry) => list.length < KEPT && list.push(entry);

  const bench = (window.bench = {
    Native,
    now,
    nodeOf,
    dials: [],
    /** Application data of a node reached the app. */
    served: [],
    /** The client says that its connection does not answer or has gone. */
    noticed: [],
    lags: [],
    /** What the client itself reports of its dials, losses and handovers. */
    attempts: [],
    downs: [],
    handovers: [],
    warnings: [],
    /** Since the page was loaded; payload and WebSocket header in bytes. */
    traffic: { pings: 0, framesUp: 0, bytesUp: 0, framesDown: 0, bytesDown: 0 },
    /** Answers to heartbeats are swallowed. */
    mute: false,
    /** `{ share, minMs, maxMs, path, random }`: on that share of pings nothing arrives for a while. */
    stall: undefined,
    stalls: 0,

    /** Forgets what was, but for the connections that are alive. */
    reset() {
      bench.dials = bench.dials.filter((dial) => dial.end === undefined);
      for (const dial of bench.dials) Object.assign(dial, { sent: [], received: [], ready: [] });
      for (const list of ['served', 'noticed', 'lags', 'attempts', 'downs', 'handovers', 'warnings'])
        bench[list].length = 0;
    },
    serve(node) {
      bench.node = node;
      bench.served.push({ at: now(), node });
      if (node !== bench.leaving?.node) bench.leaving?.done();
    },
    notice: () => keep(bench.noticed, now()),
    /** Resolves when another node than this one serves the page, or the time is over: nobody has to ask meanwhile. */
    moved: (node, limitMs) =>
      new Promise((done) => {
        bench.leaving = { node, done };
        setTimeout(done, limitMs);
      }),
    recording: ({ dials, served, noticed, lags, attempts } = bench) => ({
      dials,
      served,
      noticed,
      lags,
      attempts,
    }),
    /** The median of a few handshakes, one after the other, unrecorded: what one costs here without a queue. */
    async rawAttemptMs(times = 5) {
      const taken = [];
      for (let i = 0; i < times; i++) {
        const start = now();
        const socket = new Native(`ws://${location.host}/ws/raw-${crypto.randomUUID()}`);
        await new Promise((resolve) => (socket.onopen = socket.onerror = resolve));
        taken.push(now() - start);
        socket.close();
        await new Promise((resolve) => (socket.onclose = resolve));
      }
      return taken.sort((x, y) => x - y)[Math.floor(times / 2)];
    },
    /** Whether a WebSocket to this host still opens at all. */
    opens: (limitMs) =>
      new Promise((resolve) => {
        const socket = new Native(`ws://${location.host}/ws/new-${crypto.randomUUID()}`);
        socket.onopen = () => {
          resolve(true);
          socket.close();
        };
        socket.onerror = () => resolve(false);
        setTimeout(() => resolve(false), limitMs);
      }),
  });

  /** `{"node":"a"}` of the plain endpoint, `{"msg":"node","id":"a"}` of the DDP one. */
  function nodeOf(data) {
    const [, plain, ddp] = /^\{"node":"(\w+)"\}$|^\{"msg":"node","id":"(\w+)"/.exec(data) ?? [];
    return plain ?? ddp;
  }
  /** What a frame carries: over SockJS an array of messages, or nothing, else itself. */
  const messagesOf = (data) => {
    if (/^a?\["/.test(data)) return JSON.parse(data.slice(data.indexOf('[')));
    return /^([oh]$|c\[)/.test(data) ? [] : [data];
  };
  const isPing = (data) => data === 'ping' || data.startsWith('{"msg":"ping"');
  const isPong = (data) => data === 'pong' || data.startsWith('{"msg":"pong"');
  /** RFC 6455 5.2: 2 bytes, 2 more from 126 bytes of payload; a client's frame has a mask of 4. All here is ASCII. */
  const frameBytes = (data, mask) => data.length + 2 + mask + (data.length > 125 ? 2 : 0);

  /** Until when nothing arrives, on a path that all sockets share. */
  const path = { until: 0 };

  window.WebSocket = class extends Native {
    #dial = { start: now(), sent: [], received: [], ready: [] };
    #own = { until: 0 };
    #held = [];

    constructor(...args) {
      super(...args);
      const dial = this.#dial;
      bench.dials.push(dial);
      this.addEventListener('open', () => (dial.open = now()));
      this.addEventListener('close', () => (dial.end ??= now()));
      // The first listener: nobody else hears what it holds back.
      this.addEventListener('message', (event) => {
        if (event.isTrusted && this.#holds(event.data)) event.stopImmediatePropagation();
        else this.#heard(event.data);
      });
    }

    get #line() {
      return bench.stall?.path ? path : this.#own;
    }

    #holds(data) {
      bench.traffic.framesDown++;
      bench.traffic.bytesDown += frameBytes(data, 0);
      if (bench.mute && isPong(data)) return true;
      if (this.#held.length === 0 && now() >= this.#line.until) return false;
      if (this.#held.push(data) === 1) this.#release();
      return true;
    }

    #release() {
      const wait = this.#line.until - now();
      if (wait > 0) return void setTimeout(() => this.#release(), wait);
      while (this.#held.length > 0) {
        const data = this.#held.shift();
        this.dispatchEvent(new window.MessageEvent('message', { data, origin: `ws://${location.host}` }));
      }
    }

    #heard(data) {
      const dial = this.#dial;
      dial.proven ??= now();
      for (const message of messagesOf(data)) {
        if (isPong(message) || isPing(message)) continue;
        keep(dial.received, now());
        dial.node = nodeOf(message) ?? dial.node;
        if (message.startsWith('{"msg":"ready"')) keep(dial.ready, now());
      }
    }

    /** An attempt that its client gives up is over then, whenever the engine may say so. */
    close(...args) {
      if (this.readyState === Native.CONNECTING) this.#dial.abandoned = true;
      this.#dial.end ??= now();
      super.close(...args);
    }

    send(data) {
      const { traffic, stall } = bench;
      traffic.framesUp++;
      traffic.bytesUp += frameBytes(data, 4);
      const messages = messagesOf(data);
      if (messages.some(isPing)) {
        traffic.pings++;
        if (stall && stall.random() < stall.share) {
          bench.stalls++;
          this.#line.until = now() + stall.minMs + stall.random() * (stall.maxMs - stall.minMs);
        }
      } else if (!messages.every(isPong)) keep(this.#dial.sent, now());
      super.send(data);
    }
  };
})();
