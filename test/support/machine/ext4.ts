import { execFileSync } from "node:child_process";
import { findProgram } from "./programs.ts";

/** Makes a file that is an image of an empty ext4. */
export function makeExt4(image: string, mebibytes: number): void {
  execFileSync("truncate", ["-s", `${mebibytes}M`, image]);
  execFileSync(findProgram("mkfs.ext4") ?? "mkfs.ext4", ["-q", "-F", image]);
}
