/** What a server that knows this library may tell its clients, beside their own traffic. */
export type Notice =
  /** It goes away `afterMs` from now; its clients spread their dials over `spreadMs`, at most `afterMs`. */
  | { readonly msg: 'drain'; readonly afterMs: number; readonly spreadMs: number }
  /** Which node this is. */
  | { readonly msg: 'node'; readonly id: string };

/** Recognises a notice; anything else, and anything odd, is undefined. The wire is hostile: types and sizes are checked. */
export function parseNotice(data: unknown): Notice | undefined {
  // The cheap test first: this sees every frame. No notice of ours is longer than 1 KB.
  if (typeof data !== 'string' || data.length > 1_024 || !/^\{"msg":"(drain|node)"/.test(data))
    return undefined;
  let notice: Record<string, unknown>;
  try {
    notice = JSON.parse(data) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (notice['msg'] === 'node') {
    const { id } = notice;
    return typeof id === 'string' && id.length > 0 && id.length <= 256 ? { msg: 'node', id } : undefined;
  }
  const afterMs = ms(notice['afterMs']);
  return {
    msg: 'drain',
    afterMs,
    spreadMs: Math.min(ms(notice['spreadMs']), afterMs),
  };
}

const ms = (value: unknown): number =>
  typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : 0;
