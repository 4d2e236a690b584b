import type { Status } from '../core/api/events.ts';
import type { MeteorStatus } from './shape.ts';

/** The status of a link, as `Meteor.status()` shows it. A suspect link counts as connected, since it still serves its app. */
export function meteorStatus(status: Status): MeteorStatus {
  const down = { connected: false, retryCount: 0 };
  switch (status.name) {
    case 'online':
    case 'suspect':
      return { status: 'connected', connected: true, retryCount: 0 };
    case 'connecting':
      // The very first attempt is no retry.
      return { ...down, status: 'connecting', retryCount: status.attempt - +status.first };
    case 'waiting':
      return { ...down, status: 'waiting', retryCount: status.attempt - 1, retryTime: status.until };
    case 'offline':
      return { ...down, status: 'waiting' };
    case 'failed':
      return { ...down, status: 'failed', reason: status.error.message };
    case 'closed':
      return { ...down, status: 'offline' };
  }
}
