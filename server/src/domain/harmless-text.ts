/**
 * Text from files and callers as it may be shown: without what could end a line, command a terminal or
 * turn text around, which is shown as its escape.
 */
export function harmless(text: string): string {
  return text.replaceAll("\n", "\\n").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escapeOf);
}

function escapeOf(character: string): string {
  const digits = (character.codePointAt(0) as number).toString(16);
  return digits.length > 4 ? `\\u{${digits}}` : `\\u${digits.padStart(4, "0")}`;
}
