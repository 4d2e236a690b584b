/** What an app's own test does: a server that is none, and the app's code on it. */
exports.talk = async ({ core, ddp, meteor, server, sockjs, Server, WebSocket, expect }) => {
  // jsdom's own world: it has a page, and lacks what Node has.
  expect(document.visibilityState).toBe('visible');
  expect(typeof TextEncoder).toBe('undefined');

  // Relative to jsdom's page, `http://localhost/`.
  const url = '/websocket';
  const received = [];
  const mock = new Server('ws://localhost/websocket', { mock: false });
  mock.on('connection', (socket) => {
    socket.on('message', (text) => {
      received.push(text);
      const { msg, id, params } = text.startsWith('{') ? JSON.parse(text) : { msg: text };
      const answer = (frame) => socket.send(JSON.stringify(frame));
      if (msg === 'hello') socket.send('welcome');
      if (msg === 'connect') answer({ msg: 'connected', session: 's' });
      if (msg === 'method') {
        answer({ msg: 'result', id, result: params[0] });
        answer({ msg: 'updated', methods: [id] });
      }
    });
  });
  const env = { WebSocket };

  const socket = new core.FailoverWebSocket(url, [], { env });
  expect(socket.url).toBe('ws://localhost/websocket');
  socket.send('hello');
  const event = await new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }));
  expect(event).toBeInstanceOf(MessageEvent);
  expect(event.data).toBe('welcome');
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve, { once: true }));
  socket.close(1000, 'done');
  expect(await closed).toMatchObject({ code: 1000, wasClean: true });
  expect(socket.readyState).toBe(WebSocket.CLOSED);
  expect(() => new core.FailoverWebSocket('ftp://localhost', [], { env })).toThrow(DOMException);

  const client = new ddp.DDPClient(url, { env });
  const value = { at: new Date(5), bytes: new Uint8Array([1, 2]), text: 'ü' };
  expect(await client.call('echo', value)).toEqual(value);
  client.close();
  await expect(client.call('echo')).rejects.toMatchObject({ kind: 'closed' });
  expect(received).toContain('hello');

  expect(sockjs.sockjsUrl('/sockjs')).toBe('/sockjs/{attempt}/{attempt}/websocket');
  expect(typeof sockjs.sockjsWebSocket(WebSocket)).toBe('function');
  expect(typeof meteor.installFailover).toBe('function');
  // A node's companion: its timers are Node's, so it is only imported here.
  expect(typeof server.drain).toBe('function');
  mock.stop();
};
