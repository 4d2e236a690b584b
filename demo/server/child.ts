/** The child's end of the cluster's process control: the parent calls methods, the child answers and reports events. */

export type Handlers = Record<string, (arg: never) => unknown>;

/** What the parent sends. */
export interface Call {
  id: number;
  method: string;
  arg: unknown;
}

/** What the child sends: the answer to one call, or an event of its own accord. */
export type Report =
  | { id: number; result: unknown }
  | { id: number; error: string; code?: string }
  | { event: string; data: unknown };

/**
 * Answers the parent's calls with `handlers` and ties this process's life to the parent's: when the channel ends, however
 * the parent ended, so does the child.
 *
 * @returns a function that reports an event to the parent.
 */
export function serveParent(handlers: Handlers): (event: string, data: unknown) => void {
  const channel = process.send?.bind(process);
  if (channel === undefined) throw new Error('this file is started by demo/cluster.ts, not by hand');
  const report = (message: Report): void => {
    if (process.connected) channel(message);
  };

  process.on('disconnect', () => process.exit(0));
  // Ctrl-C in a terminal reaches the whole process group; the parent decides the order in which things end.
  process.on('SIGINT', () => {});
  process.on('message', (call: Call) => {
    void answer(handlers, call).then(report);
  });
  return (event, data) => report({ event, data });
}

async function answer(handlers: Handlers, { id, method, arg }: Call): Promise<Report> {
  try {
    const handler = handlers[method] as ((arg: unknown) => unknown) | undefined;
    if (handler === undefined) throw new Error(`no such method: ${method}`);
    return { id, result: await handler(arg) };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { id, error: message, ...(code !== undefined && { code }) };
  }
}
