/** Runs in each page after page.js: the clients that can be measured, and the calls they make meanwhile. */
(() => {
  const { bench } = window;
  const { now } = bench;
  const base = `ws://${location.host}`;

  /** What a link of ours, or a DDP client of ours, tells of itself. */
  function listen(link) {
    link.on('suspect', bench.notice);
    link.on('attempt', ({ startedAt, durationMs, outcome }) =>
      bench.attempts.push({ startedAt, durationMs, outcome }),
    );
    link.on('down', ({ kind }) => bench.downs.push({ at: now(), kind }));
    link.on('warning', ({ kind }) => bench.warnings.push(kind));
    link.on('failover', ({ cause, fromNode, toNode }) =>
      bench.handovers.push({ at: now(), cause, fromNode, toNode }),
    );
    bench.state = () => {
      const { status } = link;
      return { name: status.name, node: status.node, standby: status.standby };
    };
  }

  /** Served when every subscription is ready again and its data is applied. */
  function listenToDdp(ddp) {
    bench.ddp = ddp;
    bench.stats = () => ddp.link.stats();
    listen(ddp);
    const serve = () => ddp.status.node && bench.serve(ddp.status.node);
    ddp.on('failover', serve);
    serve();
  }

  const clients = {
    /** The todo app's own DDP client. */
    ours: () => listenToDdp(window.app.ddp),
    /** The same without the app around it. */
    ddp(options) {
      const ddp = new window.failover.DDPClient(`${base}/websocket/{attempt}`, options);
      listenToDdp(ddp);
      ddp.subscribe('todos').ready.then(() => bench.serve(ddp.status.node));
    },
    plain(options) {
      const link = new window.failover.FailoverWebSocket(`${base}/ws/{attempt}`, [], {
        heartbeat: { message: 'ping', isReply: (data) => data === 'pong' },
        identify: bench.nodeOf,
        serverNotices: true,
        ...options,
      });
      bench.stats = () => link.stats();
      listen(link);
      // A standby has been greeted long before it is needed: what it serves is the answer to what is replayed on it.
      const warm = options.standby === 'warm';
      if (warm) link.subscriptions.set('hello', 'hello');
      link.addEventListener('message', ({ data }) => {
        const node = warm ? data === 'hello' && link.status.node : bench.nodeOf(data);
        if (node) bench.serve(node);
      });
    },
    /** reconnecting-websocket with its defaults. */
    rws() {
      new window.ReconnectingWebSocket(`${base}/ws`).addEventListener('message', greeted);
    },
    /** A new WebSocket as soon as one has ended. */
    bare() {
      const socket = new WebSocket(`${base}/ws`);
      socket.onmessage = greeted;
      socket.onclose = clients.bare;
    },
    /** The same with as much DDP as it takes to be served: connect and subscribe in one flight, served when that is ready. */
    'bare-ddp'() {
      const socket = new WebSocket(`${base}/websocket`);
      const send = (message) => socket.send(JSON.stringify(message));
      let node;
      socket.onopen = () => {
        send({ msg: 'connect', version: '1', support: ['1'] });
        send({ msg: 'sub', id: 'todos', name: 'todos', params: [] });
      };
      socket.onmessage = ({ data }) => {
        node = bench.nodeOf(data) ?? node;
        if (data === '{"msg":"ping"}') send({ msg: 'pong' });
        if (data.startsWith('{"msg":"ready"')) bench.serve(node);
      };
      socket.onclose = clients['bare-ddp'];
    },
    /** An app on Meteor's own client (test/support/meteor-client/page-app.js), whatever carries it: served when it has a document of that node. */
    meteor() {
      const { meteorApp, uninstall } = window;
      if (uninstall) {
        listen(uninstall.link);
        bench.stats = () => uninstall.link.stats();
      }
      bench.state = () => ({
        name: meteorApp.Meteor.status().connected ? 'online' : 'down',
        node: meteorApp.node(),
      });
      meteorApp.onNode = bench.serve;
      if (meteorApp.node() !== undefined) bench.serve(meteorApp.node());
    },
    /** Only the library. */
    none: () => bench.serve('none'),
  };

  const greeted = ({ data }) => {
    const node = bench.nodeOf(data);
    if (node) bench.serve(node);
  };

  bench.start = (client, options) => {
    bench.state = () => ({ name: 'online', node: bench.node });
    clients[client](options);
    // How late the page's own timers are: what part of the figures is the machine's.
    let last = now();
    bench.lagTimer = setInterval(() => {
      bench.lags.push({ at: now(), ms: now() - last - 50 });
      if (bench.lags.length > 2000) bench.lags.shift();
      last = now();
    }, 50);
  };

  /**
   * When a node answers this page, which for DDP is the answer to a call; undefined if it does not within the time. What counts
   * after a repair: the connection may be an old one that has come back to life, over which nothing is served anew.
   */
  bench.answered = (limitMs) =>
    new Promise((resolve) => {
      setTimeout(resolve, limitMs);
      const answered = () => resolve(now());
      if (bench.ddp) return bench.ddp.call('whoami').then(answered, () => resolve());
      const timer = setInterval(() => {
        if (!bench.settled(false)) return;
        clearInterval(timer);
        answered();
      }, 20);
    });

  /** The recorder costs nothing of its own any more. */
  bench.rest = () => clearInterval(bench.lagTimer);

  /** Served, its round trip measured, its standby warm if there is to be one. */
  bench.settled = (standby) => {
    const { name, node, standby: other } = bench.state();
    const measured = bench.stats === undefined || bench.stats().rttMs !== undefined;
    return name === 'online' && node !== undefined && measured && (!standby || other !== undefined);
  };

  /** A person is here: idle pages ping less. */
  bench.touch = () => window.dispatchEvent(new Event('pointerdown'));

  /** Documents the page keeps of its own; older ones are removed again. */
  const OWN_DOCUMENTS = 20;

  /** Calls at a steady pace until `endCalls`, which resolves when all have settled, or the time is over. */
  function caller(everyMs, tick) {
    const calls = (bench.calls = []);
    const settled = [];
    const call = (kind, method, ...params) => {
      const entry = { kind, id: params[0], at: now() };
      calls.push(entry);
      const done = (outcome) => Object.assign(entry, outcome, { ms: now() - entry.at });
      settled.push(
        bench.ddp.call(method, ...params).then(
          () => done({ ok: true }),
          (error) => done({ error: String(error.message) }),
        ),
      );
    };
    let n = 0;
    const timer = setInterval(() => tick(call, n++), everyMs);
    bench.endCalls = async (limitMs) => {
      clearInterval(timer);
      await Promise.race([Promise.all(settled), new Promise((over) => setTimeout(over, limitMs))]);
    };
  }

  /** Every tick a todo is added, an old one removed, and a counter raised that no other call raises. */
  bench.change = (everyMs, prefix) => {
    const added = (bench.added = {});
    const removed = new Set();
    bench.reappeared = 0;
    bench.ddp.collection('todos').observe({
      added({ _id }) {
        // No id is used twice: what comes back was shown as it had been before.
        if (removed.has(_id)) bench.reappeared++;
        else added[_id] = (added[_id] ?? 0) + 1;
      },
      removed: ({ _id }) => removed.add(_id),
    });
    caller(everyMs, (call, n) => {
      call('add', 'todos.add', `${prefix}-${n}`, `todo ${n} of ${prefix}`);
      call('count', 'count', `${prefix}-${n}`);
      if (n >= OWN_DOCUMENTS) call('remove', 'todos.remove', `${prefix}-${n - OWN_DOCUMENTS}`);
    });
  };

  /** Calls without an effect on documents. */
  bench.echo = (everyMs) => caller(everyMs, (call, n) => call('echo', 'echo', String(n)));

  /** Counts what the app is told about its documents. */
  bench.countEvents = () => {
    const event = () => bench.events++;
    bench.ddp.collection('todos').observe({ added: event, changed: event, removed: event });
    // What is there already is no news.
    bench.events = 0;
  };

  /** As [id, text, done, createdAt], sorted by id. */
  bench.documents = () =>
    bench.ddp
      .collection('todos')
      .find()
      .map(({ _id, text, done, createdAt }) => [_id, text, done, Number(createdAt)])
      .sort(([x], [y]) => (x < y ? -1 : 1));

  /** Seeded (mulberry32), so that a run can be had again. */
  bench.stallPings = ({ seed, ...stall }) => {
    let state = seed;
    bench.stall = {
      ...stall,
      random() {
        state = (state + 0x6d2b79f5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
      },
    };
  };
})();
