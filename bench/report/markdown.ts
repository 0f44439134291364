/** Figures as people read them: three digits that mean something. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return Number(value.toFixed(Math.min(digits, 3))).toLocaleString("en", {
    maximumFractionDigits: 3,
  });
}

/** A table; the first column is text, and so are the `last` ones; all others are numbers. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  last = 0,
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const align = head.map((_, column) =>
    column === 0 || column >= head.length - last ? "---" : "--:",
  );
  return [line(head), line(align), ...rows.map(line)].join("\n");
}
