import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { replaceMarked } from "./marked.ts";

const page = fileURLToPath(import.meta.resolve("../../docs/performance.md"));
const pictureOf = (suite: string) =>
  fileURLToPath(import.meta.resolve(`../../docs/performance-${suite}.svg`));

/** Puts a suite's table between its marks in docs/performance.md, and its chart beside that page. */
export function publish(suite: string, markdown: string, chart: string | undefined): void {
  writeFileSync(page, replaceMarked(readFileSync(page, "utf8"), `bench:${suite}`, markdown));
  if (chart) writeFileSync(pictureOf(suite), chart);
}
