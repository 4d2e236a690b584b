/** What a status and a report do not say: that the node is leaving, which one is silent, what the last probe found, how long there was no connection. */

/** @param ddp a DDPClient; to be called before any other listener is set, so that they find it up to date */
export function watchJourney(ddp) {
  /** The node that has announced its end. */
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
    /** That of the connection in use: a silent one is in use until its replacement has answered. */
    node: () => node,
    /** The page is still served, by a node that has announced its end. */
    leaving: () => leaving !== undefined && ddp.status.name === 'online',
    /** In words, while there is no connection. */
    probe: () =>
      probe && ddp.status.name !== 'online'
        ? `${probe.status === undefined ? '' : `${probe.status}: `}${probe.advice}`
        : undefined,
    /** How long there was no connection at all, since this was asked last: 0 for a handover. */
    takeGapMs() {
      const was = gapMs;
      gapMs = 0;
      return was;
    },
  };
}
