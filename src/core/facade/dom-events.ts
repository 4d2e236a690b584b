import type { CloseDetails } from '../rules/classify.ts';

/** The DOM events of a link, also where the environment lacks a class: Node 20 has no CloseEvent. */

/** The states of a WebSocket. */
export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;

export const closeEvent = (detail: CloseDetails): Event =>
  typeof CloseEvent === 'function'
    ? new CloseEvent('close', detail)
    : Object.assign(new Event('close'), detail);

/** An event can be dispatched only once, so the app gets a copy. */
export const messageEvent = ({ data, origin }: MessageEvent): MessageEvent =>
  new MessageEvent('message', { data: data as unknown, origin });
