import type { Status } from '../core/api/events.ts';
import type { MeteorStatus } from './shape.ts';

/** A link's status in Meteor's words. While a link is suspect its app is still served. */
export function meteorStatus(status: Status): MeteorStatus {
  const not = { connected: false, retryCount: 0 };
  switch (status.name) {
    case 'online':
    case 'suspect':
      return { status: 'connected', connected: true, retryCount: 0 };
    case 'connecting':
      // The first attempt of all is no retry.
      return { ...not, status: 'connecting', retryCount: status.attempt - +status.first };
    case 'waiting':
      return { ...not, status: 'waiting', retryCount: status.attempt - 1, retryTime: status.until };
    case 'offline':
      return { ...not, status: 'waiting' };
    case 'failed':
      return { ...not, status: 'failed', reason: status.error.message };
    case 'closed':
      return { ...not, status: 'offline' };
  }
}
