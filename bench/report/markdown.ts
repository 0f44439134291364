/** A number as text, with three significant digits; a dash if there is none. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return Number(value.toFixed(Math.min(digits, 3))).toLocaleString("en", {
    maximumFractionDigits: 3,
  });
}

/** A Markdown table: the first column and the `last` ones are text, all others are numbers. */
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
