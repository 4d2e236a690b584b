/**
 * Runs in a page after Meteor's client: an app as Meteor apps are, which keeps all it was told. It knows nothing of failover. Instants
 * are Unix time in ms, with fractions.
 */
(() => {
  const { Package } = window;
  const { Meteor } = Package.meteor;
  const { Mongo } = Package.mongo;
  const { Tracker } = Package.tracker;
  const { Accounts } = Package['accounts-base'];
  const now = () => performance.timeOrigin + performance.now();

  const Todos = new Mongo.Collection('todos');
  const Nodes = new Mongo.Collection('nodes');

  const app = (window.meteorApp = {
    Meteor,
    Accounts,
    DDP: Package['ddp-client'].DDP,
    Todos,
    /** What `Meteor.status()` said each time it had changed. */
    statuses: [],
    /** What an observer of the todos was told. */
    events: [],
    /** What each computation saw, each time it ran. */
    runs: { texts: [], ready: [], userId: [], username: [] },
    /** The nodes whose data has arrived, one after the other. */
    nodes: [],
    /** Of calls: how each callback was called. */
    settled: [],
    logins: [],
    onNode: () => {},

    subscribe() {
      app.sub = Meteor.subscribe('todos');
      Meteor.subscribe('node');
      const told =
        (event) =>
        (id, fields = {}) =>
          app.events.push({ at: now(), event, id, fields });
      Todos.find().observeChanges({
        added: told('added'),
        changed: told('changed'),
        removed: told('removed'),
      });
      const node = ({ name }) => {
        app.nodes.push({ at: now(), name });
        app.onNode(name);
      };
      Nodes.find('mine').observe({ added: node, changed: node });
      run('texts', () =>
        Todos.find({}, { sort: { createdAt: 1 } })
          .map(({ text }) => text)
          .join(),
      );
      run('ready', () => app.sub.ready());
    },
    node: () => app.nodes.at(-1)?.name,
    /** With this method's result. Its callback, which must be called once, is kept in `settled`. */
    call: (method, ...params) =>
      new Promise((resolve, reject) => {
        Meteor.call(method, ...params, (error, result) => {
          app.settled.push({ at: now(), method, params, error: error?.message, result });
          if (error) reject(error);
          else resolve(result);
        });
      }),
    /** What a method does in the page until the server has answered. */
    stub: (method, body) => Meteor.methods({ [method]: body }),
    login: (username, password = 'demo') =>
      new Promise((resolve, reject) => {
        Meteor.loginWithPassword(username, password, (error) => (error ? reject(error) : resolve()));
      }),
    logout: () =>
      new Promise((resolve, reject) => Meteor.logout((error) => (error ? reject(error) : resolve()))),
  });

  function run(name, read) {
    Tracker.autorun(() => {
      app.runs[name].push(read() ?? null);
    });
  }

  Tracker.autorun(() => {
    const { status, connected, retryCount, retryTime, reason } = Meteor.status();
    app.statuses.push({ at: now(), status, connected, retryCount, retryTime, reason });
  });
  run('userId', () => Meteor.userId());
  run('username', () => Meteor.user()?.username);
  Accounts.onLogin(({ type } = {}) => app.logins.push({ at: now(), type }));
})();
