import type { Connection } from './connection.ts';
import type { FailureKind } from '../api/failure.ts';
import type { AttemptReport, FailoverReport, ProbeReport } from '../api/report.ts';

type Draft = { -readonly [K in keyof FailoverReport]: FailoverReport[K] };

/** The report of the outage under way; what is known only at its end is missing until then. */
export interface Story extends Draft {
  attempts: AttemptReport[];
  probes: ProbeReport[];
}

/** An outage of days must not fill the memory: of more entries than this the middle ones are forgotten. */
const MAX_CHAPTERS = 100;

export function addChapter<T>(chapters: T[], chapter: T): void {
  if (chapters.length >= MAX_CHAPTERS) chapters.splice(MAX_CHAPTERS / 2, 1);
  chapters.push(chapter);
}

/**
 * @param startedAt when it was noticed, Unix time
 * @param old the connection that is given up
 */
export const newStory = (
  cause: FailureKind,
  startedAt: number,
  detectedAfterMs: number,
  old: Connection | undefined,
): Story =>
  ({
    cause,
    startedAt,
    detectedAfterMs,
    attempts: [],
    probes: [],
    ...(old?.node === undefined ? {} : { fromNode: old.node }),
    queuedFlushed: 0,
    unconfirmedSends: 0,
  }) as unknown as Story;
