/**
 * The todo app: a page without a build. The library comes from its script tag (`window.failover`), the addresses of this
 * deployment from `/config.js` (`window.demoConfig`).
 */
import { watchJourney } from './journey.js';
import { movedText, statusBadge } from './status.js';
import { reportToControlRoom } from './telemetry.js';
import { todoList } from './list.js';
import { todoModel } from './todos.js';

const $ = (id) => document.getElementById(id);
const now = () => performance.timeOrigin + performance.now();

if (window.failover === undefined) {
  fatal('The script of this page did not load. Reload the page to try again.');
} else {
  try {
    start();
  } catch (error) {
    // A bad `?policy=` or `?standby=`: the library names the option and the value.
    fatal(error.message);
  }
}

function start() {
  const { controlUrl } = window.demoConfig ?? {};
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const query = new URLSearchParams(location.search);
  const policy = query.get('policy') ?? 'fast';
  const standby = query.get('standby') ?? 'off';
  const ddp = new window.failover.DDPClient(`${scheme}://${location.host}/websocket/{attempt}`, {
    policy,
    standby,
    // The WebSocket's own path answers 404 to anything but an upgrade here; this one is the app's health check.
    probe: { url: '/up' },
  });

  /** What happened on this page, for tests and for the curious. Instants are Unix time (ms). */
  const app = { ddp, loadedAt: now(), statuses: [], reports: [], seen: [] };
  window.app = app;

  const journey = watchJourney(ddp);
  const badge = statusBadge(
    { root: $('badge'), label: $('status-label'), detail: $('status-detail') },
    () => ({
      status: ddp.status,
      rttMs: ddp.link.stats().rttMs,
      leaving: journey.leaving(),
    }),
  );
  const telemetry = reportToControlRoom(controlUrl, () => {
    const { status } = ddp;
    const { rttMs, suspicions, hedgesCancelled } = ddp.link.stats();
    const { name, attempt, until } = status;
    const node = journey.node();
    return {
      ...{ status: name, node, rttMs, policy, suspicions, hedgesCancelled, attempt, until },
      ...{ warm: standby === 'warm', standby: status.standby },
      ...{ leaving: journey.leaving(), probe: journey.probe() },
    };
  });

  const paint = () => {
    badge.update();
    telemetry.send();
  };
  const noteStatus = () => {
    const { status } = ddp;
    app.statuses.push({ at: now(), name: status.name, node: status.node, status });
    paint();
  };
  ddp.on('status', noteStatus);
  ddp.on('drain', paint);
  ddp.on('probe', paint);
  ddp.on('failover', (report) => {
    const gapMs = journey.takeGapMs();
    app.reports.push(report);
    $('moved').textContent = movedText(report, gapMs);
    $('moved').hidden = false;
    telemetry.send({ report: { ...report, gapMs } });
  });
  noteStatus();

  showTodos(ddp, (event, document) =>
    app.seen.push({ at: now(), event, id: document._id, text: document.text }),
  );

  if (controlUrl !== undefined) {
    $('control-link').href = controlUrl;
    $('control').hidden = false;
  }
}

function showTodos(ddp, seen) {
  const filters = [...document.querySelectorAll('[data-filter]')];
  const names = filters.map((button) => button.dataset.filter);
  const fromHash = () => (names.includes(location.hash.slice(1)) ? location.hash.slice(1) : 'all');
  let filter = fromHash();
  let loaded = false;

  const model = todoModel(ddp, { changed: render, seen });
  const list = todoList({ list: $('todos'), errors: $('errors'), fallbackFocus: $('new-todo') }, model);

  ddp.subscribe('todos').ready.then(
    () => {
      loaded = true;
      render();
    },
    (error) => fatal(`The todos could not be loaded: ${error.message}`),
  );

  function render() {
    const todos = model.todos();
    const active = todos.filter((todo) => !todo.done);
    const shown = filter === 'all' ? todos : filter === 'active' ? active : todos.filter((todo) => todo.done);
    list.render(shown, model.failures());
    $('count').textContent = loaded || todos.length > 0 ? `${active.length} left` : '';
    $('clear-done').hidden = active.length === todos.length;
    $('empty').hidden = shown.length > 0;
    $('empty').dataset.loading = String(!loaded);
    $('empty').textContent = emptyText(loaded, todos.length, filter);
    for (const button of filters)
      button.setAttribute('aria-pressed', String(button.dataset.filter === filter));
  }

  $('add').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = $('new-todo').value.trim();
    $('new-todo').value = '';
    if (text !== '') model.add(text);
  });
  $('clear-done').addEventListener('click', () => {
    model.clearDone();
    $('new-todo').focus();
  });
  for (const button of filters) {
    // In the address, so that a reload or a shared link shows the same.
    button.addEventListener('click', () => (location.hash = button.dataset.filter));
  }
  window.addEventListener('hashchange', () => {
    filter = fromHash();
    render();
  });
  render();
}

function emptyText(loaded, total, filter) {
  if (!loaded) return 'Loading todos…';
  if (total === 0) return 'Nothing to do yet. Add the first todo above.';
  return filter === 'active' ? 'All done.' : 'Nothing is done yet.';
}

/** Nothing can be done here any more but to read why. */
function fatal(message) {
  $('add').hidden = true;
  $('foot').hidden = true;
  $('badge').dataset.state = 'failed';
  $('status-label').textContent = 'Not connected';
  $('empty').dataset.loading = 'false';
  $('empty').textContent = message;
}
