import type { Socket } from 'node:net';

/** Calls back with each line that arrives, without its end. What follows the last one is not a message yet. */
export function onLines(socket: Socket, callback: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8').on('data', (text: string | Buffer) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(callback);
  });
}
