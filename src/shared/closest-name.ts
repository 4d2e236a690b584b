/**
 * Finds the name that a misspelt one stands for: the only one that is closest, and close enough to be clearly meant. One
 * edit in three letters is allowed, two at most; upper and lower case are the same.
 */
export function closestName(wrong: string, names: readonly string[]): string | undefined {
  // Nothing of a hostile length is compared letter by letter.
  if (wrong.length > 40) return undefined;
  const limit = Math.min(2, Math.floor(wrong.length / 3));
  const ranked = names
    .map((name) => ({ name, edits: countEdits(wrong.toLowerCase(), name.toLowerCase()) }))
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits);
  const [first, second] = ranked;
  return first && first.edits !== second?.edits ? first.name : undefined;
}

/** Levenshtein's distance: letters to insert, delete or replace. */
function countEdits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++)
      row[j] = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + +(a[i - 1] !== b[j - 1]));
  }
  return row[b.length]!;
}
