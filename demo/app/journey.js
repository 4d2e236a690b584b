/** What status and report leave out: a node that drains, the silent node, the last probe, and the time without a connection. */

/** @param ddp a DDPClient. Call this before other listeners are added, so that they see the new values */
export function watchJourney(ddp) {
  /** Name of the node that has announced its end. */
  let leaving;
  let node;
  let probe;
  let downAt;
  let gapMs = 0;

  ddp.on('drain', () => {
    leaving = ddp.status.node ?? '';
  });
  ddp.on('probe', (report) => {
    probe = report;
  });
  ddp.on('down', () => {
    downAt ??= performance.now();
  });
  ddp.on('up', () => {
    if (downAt !== undefined) gapMs += performance.now() - downAt;
    downAt = undefined;
  });
  ddp.on('failover', () => {
    leaving = undefined;
  });
  ddp.on('status', (status) => {
    if (status.name !== 'suspect') node = status.node;
    if (status.name !== 'online') return;
    if (node !== leaving) leaving = undefined;
    probe = undefined;
  });

  return {
    /** Node of the connection in use. A silent connection is in use until its replacement has answered. */
    node: () => node,
    /** True while a node serves the page that has announced its end. */
    leaving: () => leaving !== undefined && ddp.status.name === 'online',
    /** The last probe in words, until the page is online again. */
    probe: () =>
      probe && ddp.status.name !== 'online'
        ? `${probe.status === undefined ? '' : `${probe.status}: `}${probe.advice}`
        : undefined,
    /** Time without any connection since the last call, in ms: 0 for a handover. */
    takeGapMs() {
      const was = gapMs;
      gapMs = 0;
      return was;
    },
  };
}
