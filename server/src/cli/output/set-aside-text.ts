import { bytesText, dateText } from "./quantities.ts";

/** An archive that was set aside, and from when on a collector removes it. */
interface SetAside {
  readonly file: { readonly path: string; readonly bytes: number };
  readonly goesAt: Date;
}

/** A line on an archive that no load takes any more. */
export function setAsideText({ file, goesAt }: SetAside): string {
  const { path, bytes } = file;
  return `${path}: set aside as damaged, ${bytesText(bytes)}; gc removes it from ${dateText(goesAt)} UTC on`;
}
