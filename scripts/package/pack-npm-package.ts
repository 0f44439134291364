import { chmodSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { create } from "tar";

/**
 * Packs all files below `directory` into `<name>-<version>.tgz` in `destination`, as `npm pack` does,
 * but so that the same files always make the same bytes: npm's order of them differs from run to run,
 * and their modes are what the umask of a checkout left.
 */
export async function packNpmPackage(directory: string, destination: string): Promise<void> {
  const { name, version } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
  for (const file of files) {
    const path = `${directory}/${file}`;
    chmodSync(path, statSync(path).mode & 0o100 ? 0o755 : 0o644);
  }
  await create(
    {
      cwd: directory,
      file: `${destination}/${name}-${version}.tgz`,
      gzip: { level: 9 },
      portable: true,
      prefix: "package",
      // The time that npm gives to all files.
      mtime: new Date("1985-10-26T08:15:00Z"),
    },
    files,
  );
}
