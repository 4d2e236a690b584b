/**
 * Runs in each page before anything else: records every dial of whatever client is tested through its own WebSocket class,
 * so that all clients are measured alike, and starts the client. Instants are Unix time in ms, with fractions.
 */
(() => {
  const now = () => performance.timeOrigin + performance.now();
  const bench = (window.bench = {
    dials: [],
    /** Application data of a node reached the app. */
    served: [],
    /** The client says that its connection does not answer or has gone. */
    noticed: [],
    lags: [],
    start,
  });

  const Native = WebSocket;
  window.WebSocket = class extends Native {
    #dial = { start: now() };

    constructor(...args) {
      super(...args);
      const dial = this.#dial;
      bench.dials.push(dial);
      this.addEventListener('open', () => (dial.open = now()));
      this.addEventListener('close', () => (dial.end ??= now()));
      this.addEventListener('message', ({ data }) => {
        dial.first ??= now();
        const node = nodeOf(data);
        if (node) dial.node = node;
        if (data.startsWith('{"msg":"ready"')) dial.ready ??= now();
      });
    }

    /** An attempt that its client gives up is over then, whenever the engine may say so. */
    close(...args) {
      this.#dial.end ??= now();
      super.close(...args);
    }

    send(data) {
      this.#dial.sent ??= now();
      super.send(data);
    }
  };

  /** `{"node":"a"}` of the plain endpoint, `{"msg":"node","id":"a"}` of the DDP one. */
  function nodeOf(data) {
    const [, plain, ddp] = /^\{"node":"(\w+)"\}$|^\{"msg":"node","id":"(\w+)"\}$/.exec(data) ?? [];
    return plain ?? ddp;
  }

  const note = ({ data }) => {
    const node = nodeOf(data);
    if (node) bench.served.push({ at: now(), node });
  };
  const notice = () => bench.noticed.push(now());
  const url = `ws://${location.host}/ws`;

  const clients = {
    /** The todo app's own DDP client: served when every subscription is ready again and its data is applied. */
    ours() {
      const { ddp } = window.app;
      bench.served.push({ at: now(), node: ddp.status.node });
      ddp.on('suspect', notice);
      ddp.on('failover', () => bench.served.push({ at: now(), node: ddp.status.node }));
      bench.settled = () => ddp.link.stats().rttMs !== undefined;
    },
    plain(policy) {
      const link = new window.failover.FailoverWebSocket(`${url}/{attempt}`, [], {
        policy,
        heartbeat: { message: 'ping', isReply: (data) => data === 'pong' },
      });
      link.on('suspect', notice);
      link.addEventListener('message', note);
      bench.settled = () => link.stats().rttMs !== undefined;
    },
    rws() {
      new window.ReconnectingWebSocket(url).addEventListener('message', note);
    },
    bare() {
      const dial = () => {
        const socket = new WebSocket(url);
        socket.onmessage = note;
        socket.onclose = dial;
      };
      dial();
    },
  };

  function start(client, policy) {
    bench.settled = () => true;
    clients[client](policy);
    // How late the page's own timers are: what part of the figures is the machine's.
    let last = now();
    setInterval(() => {
      bench.lags.push({ at: now(), ms: now() - last - 50 });
      last = now();
    }, 50);
  }
})();
