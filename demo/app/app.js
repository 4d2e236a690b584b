/**
 * The todo app: a page without a build step. The library comes from its script tag (`window.failover`), the address of the
 * control room from `/config.js` (`window.demoConfig`).
 */
import { watchJourney } from './journey.js';
import { movedText, statusBadge } from './status.js';
import { reportToControlRoom } from './telemetry.js';
import { showTodos } from './todo-view.js';

const $ = (id) => document.getElementById(id);
const now = () => performance.timeOrigin + performance.now();

if (window.failover === undefined) {
  fatal('The failover-websocket script did not load. Reload the page to try again.');
} else {
  try {
    start();
  } catch (error) {
    // A bad `?policy=` or `?standby=`. The library's error names the option, what it takes, and the value.
    fatal(`This page cannot start with the options in its address. ${error.message}`);
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
    // The WebSocket's own path answers every plain request with 426, whatever the app's state. `/up` is its health check.
    probe: { url: '/up' },
  });

  /** What happened on this page, for tests and for the browser's console. Instants are Unix time (ms). */
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

  showTodos(ddp, {
    seen: (event, document) => app.seen.push({ at: now(), event, id: document._id, text: document.text }),
    fatal,
  });

  if (controlUrl !== undefined) {
    $('control-link').href = controlUrl;
    $('control').hidden = false;
  }
}

/** Replaces the list with the reason why the page cannot work. */
function fatal(message) {
  $('add').hidden = true;
  $('foot').hidden = true;
  $('hint').hidden = true;
  $('badge').dataset.state = 'failed';
  $('status-label').textContent = 'Not connected';
  $('empty').dataset.loading = 'false';
  $('empty').textContent = message;
}
