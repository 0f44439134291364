import type { SetAside } from "../../upkeep/set-aside.ts";
import { bytesText, dateText } from "./quantities.ts";

/** A line on an archive that no load takes any more. */
export function setAsideText({ file, goesAt }: SetAside): string {
  const { path, bytes } = file;
  return `${path}: set aside as damaged, ${bytesText(bytes)}; gc removes it from ${dateText(goesAt)} UTC on`;
}
