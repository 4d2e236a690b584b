/** The child's end of process control: the parent calls methods, the child answers and reports events. */

export type Handlers = Record<string, (arg: never) => unknown>;

/** What the parent sends. */
export interface Call {
  id: number;
  method: string;
  arg: unknown;
}

/** What the child sends: the answer to a call, or an event. */
export type Report =
  | { id: number; result: unknown }
  | { id: number; error: string; code?: string }
  | { event: string; data: unknown };

/**
 * Answers the parent's calls with `handlers`. The child exits when the channel to its parent closes, so it never outlives
 * the parent, not even one that was killed.
 *
 * @returns a function that reports an event to the parent
 */
export function serveParent(handlers: Handlers): (event: string, data: unknown) => void {
  const channel = process.send?.bind(process);
  if (channel === undefined)
    throw new Error('This program runs as a child of the demo cluster. Start it with `npm run demo`.');
  const report = (message: Report): void => {
    if (process.connected) channel(message);
  };

  process.on('disconnect', () => process.exit(0));
  // Ctrl-C in a terminal reaches the whole process group; the parent decides in which order the processes end.
  process.on('SIGINT', () => {});
  process.on('message', (call: Call) => {
    void answer(handlers, call).then(report);
  });
  return (event, data) => report({ event, data });
}

async function answer(handlers: Handlers, { id, method, arg }: Call): Promise<Report> {
  try {
    const handler = handlers[method] as ((arg: unknown) => unknown) | undefined;
    if (handler === undefined) throw new Error(`No handler for the method "${method}" in this process.`);
    return { id, result: await handler(arg) };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { id, error: message, ...(code !== undefined && { code }) };
  }
}
