import { failure } from '../api/failure.ts';
import type { Page } from '../env/env.ts';
import type { Driver } from './driver.ts';
import type { HeartbeatMonitor } from './heartbeat.ts';

/**
 * Turns page events into events of the machine.
 * @param endUnusedDials ends connections that the app does not use
 * @returns the ways to stop listening
 */
export function listenToPage(
  page: Page,
  driver: Driver,
  heartbeat: HeartbeatMonitor,
  endUnusedDials: () => void,
): readonly (() => void)[] {
  const wake = () => driver.dispatch({ type: 'wake' });
  return [
    page.on('online', wake),
    page.on('resume', wake),
    page.on('visible', () => {
      heartbeat.noteUserActivity();
      wake();
    }),
    page.on('active', () => {
      if (heartbeat.noteUserActivity()) wake();
    }),
    page.on('offline', () => driver.dispatch({ type: 'offline' })),
    // A clean end keeps the page fit for the back/forward cache, and leaves no ghost on the server.
    page.on('hide', () => {
      driver.dispatch({ type: 'hide', failure: failure('suspended') });
      endUnusedDials();
    }),
    page.on('restored', () => {
      driver.dispatch({ type: 'lost', failure: failure('suspended') });
      wake();
    }),
  ];
}
