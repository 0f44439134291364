/** Where no width is known, everything is shown: a program or a file takes the output. */
export function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
}

const gap = "  ";
const leastWidth = 6;
const ellipsis = "…";

/**
 * Rows as lines of columns, no wider than `width`: the widest columns are cut first, and a column
 * that says nothing of any row is left out. The first row is the titles; `whole` columns, which
 * people type again, are not cut.
 */
export function fitTable(
  rows: readonly (readonly string[])[],
  width: number,
  whole: readonly string[] = [],
): string {
  const [titles = [], ...others] = rows;
  const shown = titles
    .map((title, column) => ({ title, column }))
    .filter(({ column }) => others.some((row) => says(row[column])));
  const widths = shown.map(({ column }) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const total = () => widths.reduce((sum, each) => sum + each + gap.length, -gap.length);
  while (total() > width) {
    const widest = widths.reduce(
      (best, each, at) =>
        !whole.includes(shown[at]?.title ?? "") && each > Math.max(widths[best] ?? 0, leastWidth)
          ? at
          : best,
      -1,
    );
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return rows
    .map((row) =>
      shown
        .map(({ column }, at) => cut(row[column] ?? "", widths[at] ?? 0).padEnd(widths[at] ?? 0))
        .join(gap)
        .trimEnd(),
    )
    .join("\n");
}

/** A text of at most `width` characters. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - ellipsis.length)}${ellipsis}`;
}

function says(cell: string | undefined): boolean {
  return cell !== undefined && cell !== "-" && cell !== "";
}
