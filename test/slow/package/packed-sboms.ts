import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Component, Sbom } from "../../../scripts/package/sbom.ts";

const run = promisify(execFile);

/** The text of a file that an npm package holds. */
export async function fileOfTarball(tarball: string, name: string): Promise<string> {
  const { stdout } = await run("tar", ["-xzOf", tarball, `package/${name}`]);
  return stdout;
}

/** The text of the one file in a wheel's metadata whose path ends in `name`. */
export async function fileOfWheel(wheel: string, name: string): Promise<string> {
  const read = [
    "import sys, zipfile",
    "wheel = zipfile.ZipFile(sys.argv[1])",
    "[found] = [n for n in wheel.namelist() if n.endswith('.dist-info/' + sys.argv[2])]",
    "print(wheel.read(found).decode())",
  ].join("\n");
  const { stdout } = await run("python3", ["-c", read, wheel, name]);
  return stdout;
}

/** `@scope/name version` of each package that an SBOM has, or `name range` of an external one. */
export function packagesOf({ components }: Sbom): string[] {
  return components.map((component) => `${fullName(component)} ${versionOf(component)}`).sort();
}

function fullName({ group, name }: Component): string {
  return group ? `${group}/${name}` : name;
}

function versionOf({ version, versionRange }: Component): string {
  return version ?? versionRange ?? "without a version";
}
