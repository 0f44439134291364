// The commands and programs on pages for people, as they stand there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** The only block of this language under this heading of the README, such as "### In a model". */
export function readmeSnippet(heading: string, language: string): string {
  const [found, ...others] = pageSnippets("README.md", heading, language);
  assert.ok(found && others.length === 0, `README has one block of ${language} under ${heading}`);
  return found;
}

/** All blocks of a language under a heading of a page; the page is named from the repository's root. */
export function pageSnippets(page: string, heading: string, language: string): string[] {
  const content = readFileSync(new URL(`../../../${page}`, import.meta.url), "utf8");
  const [, section = ""] = content.split(`\n${heading}\n`);
  const [text = ""] = section.split(/^#{2,3} /m);
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , block = ""]) => block);
}
