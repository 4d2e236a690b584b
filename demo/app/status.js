/** The state of the connection in words, and the badge that shows it without flicker. */

/** A state that lasts less long than this is not shown: a person would only see a flash. */
const SHOW_AFTER_MS = 300;

/** @returns `label` for the live region, `detail` for what changes too often to be read aloud */
export function statusText(status, rttMs, now) {
  switch (status.name) {
    case 'online':
      return {
        label: status.node === undefined ? 'Online' : `Online on node ${status.node}`,
        detail: rttMs === undefined ? '' : `${Math.round(rttMs)} ms`,
      };
    case 'suspect':
      return { label: 'Not answering, checking…', detail: '' };
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

/** The story of a failover in one quiet line. */
export function movedText({ fromNode, toNode, detectedAfterMs, upAfterMs, replayMs }) {
  const total = `${Math.round(detectedAfterMs + upAfterMs + replayMs)} ms`;
  if (toNode === undefined) return `Reconnected in ${total}`;
  if (fromNode === undefined || fromNode === toNode) return `Reconnected to ${toNode} in ${total}`;
  return `Moved from ${fromNode} to ${toNode} in ${total}`;
}

/**
 * @param elements `root` (gets `data-state` and `data-node`), `label`, `detail`
 * @param read gives the present `{ status, rttMs }`
 */
export function statusBadge({ root, label, detail }, read) {
  let timer;

  function paint() {
    const { status, rttMs } = read();
    const text = statusText(status, rttMs, Date.now());
    // A live region reads out every write, also of the same text.
    if (label.textContent !== text.label) label.textContent = text.label;
    if (detail.textContent !== text.detail) detail.textContent = text.detail;
    root.dataset.state = status.name;
    root.dataset.node = status.node ?? '';
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
