/** The state of the connection in words, and the badge that shows it without flicker. */

/** A state that ends sooner is not shown: it would only flash. */
const SHOW_AFTER_MS = 300;

/** @returns `label` for the live region, and `detail`, which changes too often to be read aloud */
export function statusText(status, rttMs, now, leaving) {
  switch (status.name) {
    case 'online': {
      const where = status.node === undefined ? 'Online' : `Online on node ${status.node}`;
      const standby = status.standby === undefined ? undefined : `standby ${status.standby}`;
      const rtt = rttMs === undefined ? undefined : `${Math.round(rttMs)} ms`;
      return {
        label: leaving ? `Moving away from node ${status.node}…` : where,
        detail: [standby, rtt].filter(Boolean).join(' · '),
      };
    }
    case 'suspect':
      return { label: 'Node not answering, trying the other', detail: '' };
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
      return { label: 'Offline: this device has no network', detail: '' };
    case 'closed':
      return { label: 'Closed', detail: '' };
    case 'failed':
      return { label: `Gave up: ${status.error.message}`, detail: '' };
    default:
      return { label: status.name, detail: '' };
  }
}

/**
 * A failover in one line.
 *
 * @param gapMs time without any connection, in ms
 */
export function movedText(
  { cause, fromNode, toNode, detectedAfterMs, upAfterMs, replayMs, attempts },
  gapMs,
) {
  const ms = `${Math.round(detectedAfterMs + upAfterMs + replayMs)} ms`;
  // A node that announced its end answered until the page had moved. A silent node did not.
  const how = cause === 'drain' && gapMs === 0 ? 'without a gap' : `in ${ms}`;
  const to = attempts.at(-1)?.standby ? ', to the standby' : '';
  if (toNode === undefined) return `Reconnected ${how}`;
  if (fromNode === undefined || fromNode === toNode) return `Reconnected to node ${toNode} ${how}`;
  return `Moved from node ${fromNode} to node ${toNode} ${how}${to}`;
}

/**
 * @param elements `root` (gets `data-state` and `data-node`), `label`, `detail`
 * @param read returns the present `{ status, rttMs, leaving }`
 */
export function statusBadge({ root, label, detail }, read) {
  let timer;

  function paint() {
    const { status, rttMs, leaving } = read();
    const text = statusText(status, rttMs, Date.now(), leaving);
    // Screen readers announce every write to a live region, even of the same text.
    if (label.textContent !== text.label) label.textContent = text.label;
    if (detail.textContent !== text.detail) detail.textContent = text.detail;
    root.dataset.state = status.name;
    root.dataset.node = status.node ?? '';
    root.dataset.leaving = String(leaving);
  }

  // The round trip and the countdown change without an event.
  setInterval(() => {
    if (timer === undefined) paint();
  }, 1000);

  return {
    /** Call this after each change. `online` shows at once, any other state only when it lasts a moment. */
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
