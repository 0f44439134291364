/**
 * A page with the text between `<!-- name -->` and `<!-- /name -->` replaced. Throws if the page has no
 * such marks.
 */
export function replaceMarked(page: string, name: string, text: string): string {
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = page.indexOf(from);
  const end = page.indexOf(to);
  if (start < 0 || end < start) throw new Error(`the page has no place for ${name}`);
  return `${page.slice(0, start + from.length)}\n${text}\n${page.slice(end)}`;
}
