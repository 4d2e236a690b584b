import type { Connection } from './connection.ts';
import type { Failure } from './failure.ts';
import type { AttemptReport, FailoverReport, ProbeReport } from './report.ts';

/** What has happened so far in the outage under way. Instants on the env's clock. */
export interface Story {
  readonly cause: Failure;
  readonly startedAt: number;
  readonly detectedAfterMs: number;
  readonly lastHeardAt: number;
  readonly from: Connection | undefined;
  readonly attempts: AttemptReport[];
  readonly probes: ProbeReport[];
  upAt: number;
  queuedFlushed: number;
  unconfirmed: number;
}

/** An outage of days must not fill the memory: of more entries than this the middle ones are forgotten. */
const MAX_CHAPTERS = 100;

export function addChapter<T>(chapters: T[], chapter: T): void {
  if (chapters.length >= MAX_CHAPTERS) chapters.splice(MAX_CHAPTERS / 2, 1);
  chapters.push(chapter);
}

export const newStory = (
  cause: Failure,
  startedAt: number,
  detectedAfterMs: number,
  from: Connection | undefined,
): Story => ({
  cause,
  startedAt,
  detectedAfterMs,
  lastHeardAt: from?.heardAt ?? startedAt,
  from,
  attempts: [],
  probes: [],
  upAt: startedAt,
  queuedFlushed: 0,
  unconfirmed: 0,
});

/** The story as the report that the app gets. */
export function tellStory(
  story: Story,
  current: Connection,
  replayedAt: number,
  replayed: number,
  timeOrigin: number,
): FailoverReport {
  const { cause, startedAt, detectedAfterMs, from, upAt } = story;
  return Object.freeze({
    cause: cause.kind,
    startedAt: timeOrigin + startedAt,
    detectedAfterMs,
    attempts: Object.freeze(story.attempts),
    probes: Object.freeze(story.probes),
    ...(from?.node === undefined ? {} : { fromNode: from.node }),
    ...(current.node === undefined ? {} : { toNode: current.node }),
    upAfterMs: upAt - startedAt,
    downMs: Math.max(0, (current.firstHeardAt ?? upAt) - story.lastHeardAt),
    replayMs: replayedAt - upAt,
    replayed,
    queuedFlushed: story.queuedFlushed,
    unconfirmedSends: story.unconfirmed,
  });
}
