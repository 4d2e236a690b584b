/** The open todo pages: the state of each, and the node that serves it. */
import { h, setText, sync } from './dom.js';
import { ms, plural, shortId } from './format.js';
import { pageState } from './words.js';

export function clientList(root, number, todoApp) {
  const rows = new Map();
  const body = h('tbody');
  const table = h(
    'table',
    { class: 'clients' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...['Page', 'Status', 'Node', 'Standby', 'Round trip'].map((name) => h('th', { scope: 'col' }, name)),
      ),
    ),
    body,
  );
  const empty = h(
    'p',
    { class: 'empty' },
    'No page is open. ',
    h('a', { href: todoApp, target: '_blank', rel: 'noopener' }, 'Open the todo app'),
    ' in a window beside this one, or better in two.',
  );
  root.append(empty, table);

  return {
    update({ clients }) {
      empty.hidden = clients.length > 0;
      table.hidden = clients.length === 0;
      setText(number, clients.length === 0 ? '' : plural(clients.length, 'page'));
      sync(
        body,
        rows,
        clients.map((client) => [client.id, client]),
        row,
      );
    },
  };
}

function row(id) {
  const policy = h('small', {});
  const status = h('span', { class: 'state' });
  const doing = h('small', {});
  const mark = h('span', { class: 'mark' });
  const standby = h('span', { class: 'mark' });
  const rtt = h('td', { class: 'figure' });
  return {
    node: h(
      'tr',
      {},
      h('th', { scope: 'row', title: id }, shortId(id), policy),
      h('td', {}, status, doing),
      h('td', {}, mark),
      h('td', {}, standby),
      rtt,
    ),
    update(client) {
      const { label, tone } = pageState(client);
      setText(status, label);
      status.dataset.tone = tone;
      setText(doing, doingNow(client));
      setText(policy, client.policy ?? '');
      nodeMark(mark, client.node, '–');
      nodeMark(standby, client.standby, client.warm ? 'none yet' : 'off');
      setText(rtt, client.rttMs === undefined ? '–' : ms(client.rttMs));
    },
  };
}

function nodeMark(mark, node, otherwise) {
  setText(mark, node ?? otherwise);
  mark.dataset.node = node ?? '';
}

/** The line below the status: what the page does now, or what it has been spared. */
function doingNow({ status, leaving, attempt, until, probe, hedgesCancelled = 0 }) {
  const probed = probe === undefined ? '' : ` · probe ${probe}`;
  if (leaving) return 'its node drains: the page connects to another';
  if (status === 'suspect') {
    return attempt > 0
      ? `node is silent: dial ${attempt} runs beside it${probed}`
      : 'node is silent: the page is about to dial';
  }
  if (status === 'connecting') return `dial ${attempt}${probed}`;
  if (status === 'waiting') {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    return `dial ${attempt} in ${left} s${probed}`;
  }
  if (status !== 'online' || hedgesCancelled === 0) return '';
  return `${plural(hedgesCancelled, 'replacement')} cancelled: the silent node answered after all`;
}
