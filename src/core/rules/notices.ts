/** What a server that knows this library may tell its clients beside their own traffic. */
export type Notice =
  | {
      /** The node goes away `afterMs` from now (0 to 600 000). Its clients spread their dials over `spreadMs` (0 to `afterMs`). */
      readonly msg: 'drain';
      readonly afterMs: number;
      readonly spreadMs: number;
      /** Where to go: a hint from the wire, followed for allowed origins only. */
      readonly url: string | undefined;
    }
  | {
      /** The node's name, and how widely its clients should spread if it dies (0 to 60 000 ms). */
      readonly msg: 'node';
      readonly id: string;
      readonly spreadMs: number;
    };

/** Recognises a notice; anything else is undefined. The wire is hostile: types and sizes are checked. */
export function parseNotice(data: unknown): Notice | undefined {
  // The cheap test comes first, since this sees every frame. No notice is longer than 1 KB.
  if (typeof data !== 'string' || data.length > 1_024 || !/^\{"msg":"(drain|node)"/.test(data))
    return undefined;
  let notice: Record<string, unknown>;
  try {
    notice = JSON.parse(data) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { msg, id, url, afterMs, spreadMs } = notice;
  if (msg === 'node') {
    return typeof id === 'string' && id.length > 0 && id.length <= 256
      ? { msg, id, spreadMs: ms(spreadMs, 60_000) }
      : undefined;
  }
  const after = ms(afterMs, 600_000);
  return {
    msg: 'drain',
    afterMs: after,
    spreadMs: ms(spreadMs, after),
    url: typeof url === 'string' ? url : undefined,
  };
}

const ms = (value: unknown, max: number): number =>
  typeof value === 'number' && value > 0 ? Math.min(value, max) : 0;
