/** The faults a node can be given. */

/**
 * In the order of the buttons. `does` says what the button does; `refuse(node)` says why it cannot do so now, or returns
 * nothing.
 */
export const FAULTS = [
  {
    name: 'stop',
    label: 'Stop',
    does: 'SIGTERM: the app exits at once, as a Meteor app does.',
    refuse: ({ app }) =>
      app === 'hung' ? 'A hung app cannot act on SIGTERM. Kill or restart it.' : notRunning(app, 'stopped'),
  },
  {
    name: 'kill',
    label: 'Kill',
    does: 'SIGKILL: the app is gone, without a goodbye.',
    refuse: ({ app }) =>
      app === 'stopped' ? 'The app is stopped already. Restart the node to repair it.' : starting(app),
  },
  {
    name: 'hang',
    label: 'Hang',
    does: 'SIGSTOP: the app keeps its connections and never answers.',
    refuse: ({ app }) => notRunning(app, 'hung'),
  },
  {
    name: 'blackhole',
    label: 'Black hole',
    does: 'All packets to and from the node vanish.',
    refuse: ({ network }) =>
      network === 'blackholed'
        ? 'The node is black-holed already. Restart it to heal its network.'
        : undefined,
  },
  {
    name: 'drain',
    label: 'Drain',
    does: 'The app announces its end, serves until its pages have moved, then exits.',
    refuse: ({ app, network }) =>
      network === 'blackholed'
        ? 'The announcement cannot leave a black-holed node. Restart the node first.'
        : notRunning(app, 'draining'),
  },
  {
    name: 'restart',
    label: 'Restart',
    does: 'Starts the app again and repairs its network.',
    refuse: ({ app }) => starting(app),
  },
];

const starting = (app) => (app === 'starting' ? 'The app is starting. Wait a moment.' : undefined);

function notRunning(app, wanted) {
  if (app === 'running') return undefined;
  if (app === wanted) return `The app is ${wanted} already. Restart the node to repair it.`;
  return app === 'starting'
    ? 'The app is starting. Wait a moment.'
    : `The app is ${app}. Restart the node first.`;
}

/** True when a restart would repair something. */
export const isBroken = ({ app, network }) => app === 'stopped' || app === 'hung' || network !== 'ok';
