/** The control room's page: receives the state of the cluster and passes it to each part of the page. */
import { clientList } from './clients.js';
import { $, setText } from './dom.js';
import { failoverList } from './failovers.js';
import { clusterMap } from './map.js';
import { nodeCards } from './nodes.js';
import { settings } from './settings.js';

// The balancer listens one port below the control room (demo/main.ts).
const todoApp = `${location.protocol}//${location.hostname}:${Number(location.port) - 1}/`;
opener($('opener'), $('open-app'));

const parts = [
  clusterMap($('map')),
  nodeCards($('nodes'), $('faults')),
  settings($('settings'), $('settings-problem')),
  clientList($('clients'), $('clients-number'), todoApp),
  failoverList($('failovers'), todoApp),
];

/** Keeps the link to the todo app in step with the policy and standby fields beside it. */
function opener(form, link) {
  const { policy, standby } = form.elements;
  const update = () => {
    const query = new URLSearchParams();
    if (policy.value !== 'fast') query.set('policy', policy.value); // fast is the todo app's default
    if (standby.checked) query.set('standby', standby.value);
    link.href = `${todoApp}${query.size > 0 ? `?${query}` : ''}`;
  };
  form.addEventListener('change', update);
  form.addEventListener('submit', (event) => event.preventDefault());
  update();
}

function live(state, text) {
  $('live').dataset.live = state;
  setText($('live'), text);
}

const events = new EventSource('/api/events');
events.onmessage = ({ data }) => {
  live('yes', 'Live');
  const state = JSON.parse(data);
  // The server lists pages by the time of their last report. Here each keeps its place.
  state.clients.sort((x, y) => (x.id < y.id ? -1 : 1));
  for (const part of parts) part.update(state);
};
events.onerror = () => live('no', 'The cluster does not answer. Check that “npm run demo” is still running.');
