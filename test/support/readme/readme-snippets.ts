// The commands and programs on the README's page, as they stand there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");

/** The only block of this language under this heading, such as "### In a model". */
export function readmeSnippet(heading: string, language: string): string {
  const [, section = ""] = page.split(`\n${heading}\n`);
  const [text = ""] = section.split(/^#{2,3} /m);
  const found = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(
    ([, name]) => name === language,
  );
  assert.equal(found.length, 1, `README has one block of ${language} under ${heading}`);
  return found[0]?.[2] ?? "";
}
