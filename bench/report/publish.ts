import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const page = fileURLToPath(import.meta.resolve("../../docs/performance.md"));
const pictureOf = (suite: string) =>
  fileURLToPath(import.meta.resolve(`../docs/performance-${suite}.svg`));

/** Puts a suite's table between its marks in docs/performance.md, and its chart beside that page. */
export function publish(suite: string, markdown: string, chart: string | undefined): void {
  const [from, to] = [`<!-- bench:${suite} -->`, `<!-- /bench:${suite} -->`];
  const text = readFileSync(page, "utf8");
  const start = text.indexOf(from);
  const end = text.indexOf(to);
  if (start < 0 || end < start) throw new Error(`docs/performance.md has no place for ${suite}`);
  const before = text.slice(0, start + from.length);
  writeFileSync(page, `${before}\n${markdown}\n${text.slice(end)}`);
  if (chart) writeFileSync(pictureOf(suite), chart);
}
