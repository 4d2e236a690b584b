/** The open todo pages, and the node that serves each. */
import { h, setText, sync } from './dom.js';
import { known, ms, plural, shortId, STATUSES } from './words.js';

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
        ...['Page', 'Status', 'Served by', 'Round trip'].map((name) => h('th', { scope: 'col' }, name)),
      ),
    ),
    body,
  );
  const empty = h(
    'p',
    { class: 'empty' },
    'No page is open. ',
    h('a', { href: todoApp, target: '_blank', rel: 'noopener' }, 'Open the todo app'),
    ', best in two windows beside this one.',
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
  const status = h('span', { class: 'state' });
  const mark = h('span', { class: 'mark' });
  const rtt = h('td', { class: 'figure' });
  return {
    node: h(
      'tr',
      {},
      h('th', { scope: 'row', title: id }, shortId(id)),
      h('td', {}, status),
      h('td', {}, mark),
      rtt,
    ),
    update(client) {
      const { label, tone } = known(STATUSES, client.status);
      setText(status, label);
      status.dataset.tone = tone;
      setText(mark, client.node ?? '–');
      mark.dataset.node = client.node ?? '';
      setText(rtt, client.rttMs === undefined ? '–' : ms(client.rttMs));
    },
  };
}
