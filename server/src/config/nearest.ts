const mostEdits = 3;

/** The word that a misspelled one probably means; undefined where none is near. */
export function nearest<Word extends string>(
  misspelled: string,
  words: readonly Word[],
): Word | undefined {
  return words
    .map((word) => ({ word, edits: editsBetween(misspelled, word) }))
    .filter(({ word, edits }) => edits <= Math.min(mostEdits, word.length / 2))
    .sort((one, other) => one.edits - other.edits)[0]?.word;
}

/** How many letters are to be added, removed or replaced. */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [above, letter] of [...one].entries()) {
    const next = [above + 1];
    for (const [at, expected] of [...other].entries()) {
      const replaced = (row[at] as number) + (letter === expected ? 0 : 1);
      next.push(Math.min(replaced, (row[at + 1] as number) + 1, (next[at] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
