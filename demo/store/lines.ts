import type { Socket } from 'node:net';

/** Calls back with each complete line that arrives, without its line end. */
export function onLines(socket: Socket, callback: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8').on('data', (text: string | Buffer) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(callback);
  });
}
