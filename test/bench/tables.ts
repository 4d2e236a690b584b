/** Figures as tables. */
import { quantile, type Outcome } from './outcome.ts';

export type Row = Readonly<Record<string, string | number | boolean | undefined>>;

/** A part of the output: a table with what has to be known to read it. */
export interface Section {
  readonly title: string;
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
  /** What the table was made of, for the JSON file. */
  readonly raw?: unknown;
}

export function markdown(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells: readonly unknown[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(names),
    line(names.map(() => '---')),
    ...rows.map((row) =>
      line(
        names.map((name) => (row[name] === undefined || Number.isNaN(row[name]) ? '–' : String(row[name]))),
      ),
    ),
  ].join('\n');
}

export const show = ({ title, notes, rows }: Section): string =>
  [`## ${title}`, '', ...notes.map((note) => `- ${note}`), '', markdown(rows), ''].join('\n');

/** Rounded; undefined where there is nothing. */
export function rounded(values: readonly (number | undefined)[], q: number): number | undefined {
  const value = quantile(
    values.filter((v) => v !== undefined),
    q,
  );
  return value === undefined ? undefined : Math.round(value);
}

/** How the victims of one fault fared with one client. */
export function outcomeRow(fault: string, client: string, outcomes: readonly Outcome[]): Row {
  const of = (key: 'servedMs' | 'noticedMs' | 'overheadMs' | 'lagMs', q: number): number | undefined =>
    rounded(
      outcomes.map((outcome) => outcome[key]),
      q,
    );
  const attempts = (...wanted: Outcome['attempts'][number]['outcome'][]): number[] =>
    outcomes.flatMap((o) => o.attempts.filter(({ outcome }) => wanted.includes(outcome)).map(({ ms }) => ms));
  const served = outcomes.filter(({ servedMs }) => servedMs !== undefined);
  const promoted = served.filter((o) => o.attempts.some(({ outcome }) => outcome === 'promoted'));
  return {
    fault,
    client,
    n: outcomes.length,
    stuck: outcomes.length - served.length,
    p50: of('servedMs', 0.5),
    p95: of('servedMs', 0.95),
    p99: of('servedMs', 0.99),
    max: of('servedMs', 1),
    'overhead p50': of('overheadMs', 0.5),
    'overhead p95': of('overheadMs', 0.95),
    'overhead p99': of('overheadMs', 0.99),
    'noticed p50': of('noticedMs', 0.5),
    'noticed p95': of('noticedMs', 0.95),
    'attempts p50': rounded(
      served.map((o) => o.attempts.length),
      0.5,
    ),
    'attempts p95': rounded(
      served.map((o) => o.attempts.length),
      0.95,
    ),
    'failed attempt p50': rounded(attempts('failed'), 0.5),
    'winning attempt p50': rounded(attempts('served', 'promoted'), 0.5),
    promoted: promoted.length,
    'page lag p95': of('lagMs', 0.95),
  };
}

/**
 * Medians as if both had been equally lucky with the balancer: how many attempts it takes is its coin, and where one of two succeeds the
 * median stands right on the step from one attempt to two. So outcomes weigh as much as those of both with as many attempts do.
 */
function evenMedians(one: readonly Outcome[], other: readonly Outcome[]): number[] {
  const tries = ({ attempts }: Outcome) => attempts.length;
  const count = (outcomes: readonly Outcome[], n: number) => outcomes.filter((x) => tries(x) === n).length;
  const both = (x: Outcome) => count(one, tries(x)) > 0 && count(other, tries(x)) > 0;
  return [one, other].map((outcomes) => {
    const weighed = outcomes
      .filter(both)
      .map((x) => ({
        ms: x.servedMs ?? Infinity,
        weight: (count(one, tries(x)) + count(other, tries(x))) / count(outcomes, tries(x)),
      }))
      .sort((x, y) => x.ms - y.ms);
    let left = weighed.reduce((sum, { weight }) => sum + weight, 0) / 2;
    return weighed.find(({ weight }) => (left -= weight) < 1e-9)?.ms ?? NaN;
  });
}

function evenRatio(one: readonly Outcome[], other: readonly Outcome[]): number {
  const [a = NaN, b = NaN] = evenMedians(one, other);
  return Number((a / b).toFixed(2));
}

/** Median of each client over that of each bare one, and over its own with another build, in the same rounds. */
export function ratioRows(fault: string, results: ReadonlyMap<string, readonly Outcome[]>): Row[] {
  const median = (client: string): number =>
    quantile(
      (results.get(client) ?? []).flatMap(({ servedMs }) => servedMs ?? []),
      0.5,
    ) ?? NaN;
  const names = [...results.keys()];
  const bare = names.filter((name) => name.startsWith('bare'));
  const besides = (client: string) =>
    names.filter((name) => bare.includes(name) || name === `other-${client}`);
  return names
    .filter((name) => !bare.includes(name))
    .flatMap((client) =>
      besides(client).map((other) => ({
        fault,
        client,
        beside: other,
        'median / median': Number((median(client) / median(other)).toFixed(2)),
        'at equal luck': evenRatio(results.get(client)!, results.get(other)!),
      })),
    );
}
