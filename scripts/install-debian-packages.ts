import { spawnSync } from "node:child_process";
import { hasProgram, packageOf, programs } from "../test/support/machine/programs.ts";

/**
 * Installs the Debian packages that the tests on file systems use and that are not there. Throws where
 * it cannot: without root, or on another system.
 */
export function installDebianPackages(): void {
  const packages = programs.filter((name) => !hasProgram(name)).map((name) => packageOf[name]);
  if (packages.length === 0) return;
  console.log(`installing ${packages.join(", ")}`);
  const steps = [["update"], ["install", "--yes", "--no-install-recommends", ...packages]];
  for (const args of steps) {
    const { status, error } = spawnSync("apt-get", args, {
      stdio: "inherit",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
    if (error || status !== 0)
      throw new Error(
        `could not install ${packages.join(", ")}: it takes root on Debian or Ubuntu`,
        { cause: error },
      );
  }
  const missing = programs.filter((name) => !hasProgram(name));
  if (missing.length > 0) throw new Error(`${missing} should have been installed`);
}
