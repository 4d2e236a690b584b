/** The state of the connection in words, and the badge that shows it without flicker. */

/** A state that lasts less long than this is not shown: a person would only see a flash. */
const SHOW_AFTER_MS = 300;

/** @returns `label` for the live region, `detail` for what changes too often to be read aloud */
export function statusText(status, rttMs, now, leaving) {
  switch (status.name) {
    case 'online': {
      const where = status.node === undefined ? 'Online' : `Online on node ${status.node}`;
      const standby = status.standby === undefined ? undefined : `standby ${status.standby}`;
      const rtt = rttMs === undefined ? undefined : `${Math.round(rttMs)} ms`;
      return {
        label: leaving ? `Leaving node ${status.node}…` : where,
        detail: [standby, rtt].filter(Boolean).join(' · '),
      };
    }
    case 'suspect':
      return { label: 'Not answering, trying another node', detail: '' };
    case 'connecting':
      return status.first && status.attempt < 2
        ? { label: 'Connecting…', detail: '' }
        : { label: status.first ? 'Connecting' : 'Reconnecting', detail: `attempt ${status.attempt}` };
    case 'waiting':
      return {
        label: 'Waiting to reconnect',
        detail: `${Math.max(0, Math.ceil((status.until - now) / 1000))} s`,
      };
    case 'offline':
      return { label: 'Offline: no network', detail: '' };
    case 'closed':
      return { label: 'Closed', detail: '' };
    case 'failed':
      return { label: `Gave up: ${status.error.message}`, detail: '' };
    default:
      return { label: status.name, detail: '' };
  }
}

/**
 * The story of a failover in one quiet line.
 *
 * @param gapMs how long there was no connection at all
 */
export function movedText(
  { cause, fromNode, toNode, detectedAfterMs, upAfterMs, replayMs, attempts },
  gapMs,
) {
  const ms = `${Math.round(detectedAfterMs + upAfterMs + replayMs)} ms`;
  // One that announced its end was heard until the end; one that fell silent was not.
  const how = cause === 'drain' && gapMs === 0 ? 'without a gap' : `in ${ms}`;
  const to = attempts.at(-1)?.standby ? ', to the standby' : '';
  if (toNode === undefined) return `Reconnected ${how}`;
  if (fromNode === undefined || fromNode === toNode) return `Reconnected to ${toNode} ${how}`;
  return `Moved from ${fromNode} to ${toNode} ${how}${to}`;
}

/**
 * @param elements `root` (gets `data-state` and `data-node`), `label`, `detail`
 * @param read gives the present `{ status, rttMs, leaving }`
 */
export function statusBadge({ root, label, detail }, read) {
  let timer;

  function paint() {
    const { status, rttMs, leaving } = read();
    const text = statusText(status, rttMs, Date.now(), leaving);
    // A live region reads out every write, also of the same text.
    if (label.textContent !== text.label) label.textContent = text.label;
    if (detail.textContent !== text.detail) detail.textContent = text.detail;
    root.dataset.state = status.name;
    root.dataset.node = status.node ?? '';
    root.dataset.leaving = String(leaving);
  }

  // The round trip and the countdown move on without any event.
  setInterval(() => {
    if (timer === undefined) paint();
  }, 1000);

  return {
    /** To be called after each change: online is shown at once, anything else when something is still wrong a moment later. */
    update() {
      if (read().status.name === 'online') {
        clearTimeout(timer);
        timer = undefined;
        paint();
      } else {
        timer ??= setTimeout(() => {
          timer = undefined;
          paint();
        }, SHOW_AFTER_MS);
      }
    },
  };
}
