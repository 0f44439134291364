import { accessSync, constants, statSync } from "node:fs";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";

/**
 * Where torch keeps its cache in a process with these variables, as an absolute path:
 * `torchinductor_<user>` in the temporary directory. The clients have the same rule;
 * test/vectors/places.json holds all of them to it.
 */
export function torchDefaultDirectory(environment: NodeJS.ProcessEnv): string {
  const { LOGNAME, USER, LNAME, USERNAME } = environment;
  const user = LOGNAME || USER || LNAME || USERNAME || accountName();
  const name = user.replace(/[\\/:*?"<>|]/g, "_");
  return resolve(join(temporaryDirectory(environment), `torchinductor_${name}`));
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an account, as containers have, and torch's word for one.
    return `uid_${process.getuid?.() ?? 0}`;
  }
}

/** As Python's tempfile.gettempdir finds it: a variable that names no usable directory is passed over. */
function temporaryDirectory({ TMPDIR, TEMP, TMP }: NodeJS.ProcessEnv): string {
  const candidates = [TMPDIR, TEMP, TMP, "/tmp", "/var/tmp", "/usr/tmp"];
  return candidates.find((directory) => directory && canHoldFiles(directory)) ?? process.cwd();
}

function canHoldFiles(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return statSync(directory).isDirectory();
  } catch {
    return false;
  }
}
