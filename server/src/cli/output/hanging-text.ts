/**
 * A text of lines of at most `width` characters, broken behind underscores, commas and slashes; all
 * but the first begin with `indent` blanks. What has no such place stays in one piece.
 */
export function hangingText(text: string, width: number, indent: number): string {
  const room = width - indent;
  const lines = [""];
  for (const part of text.match(/[^_,/ ]*(?:[_,/]+ ?| +|$)/g) ?? []) {
    const last = lines.length - 1;
    const line = lines[last] ?? "";
    if (line !== "" && (line + part).trimEnd().length > room) lines.push(part);
    else lines[last] = line + part;
  }
  return lines.map((line) => line.trimEnd()).join(`\n${" ".repeat(indent)}`);
}
