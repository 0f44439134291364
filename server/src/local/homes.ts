import * as fs from "node:fs";
import * as os from "node:os";

/**
 * The home directories, as absolute paths, of a user and of who runs this process: what the system's
 * user database says, and `HOME`.
 */
export function homesOf(uid: number): ReadonlySet<string> {
  const homes = [...inUserDatabase(uid), ...ownHomes()];
  return new Set(homes.filter((home) => home.startsWith("/")));
}

/** The system may know more of this process's own user than its file does. */
function ownHomes(): string[] {
  return [os.homedir, () => os.userInfo().homedir].flatMap((ask) => {
    try {
      return [ask()];
    } catch {
      return []; // A container may run as a user without a name.
    }
  });
}

function inUserDatabase(uid: number): string[] {
  let text: string;
  try {
    text = fs.readFileSync("/etc/passwd", "utf8");
  } catch {
    return []; // A container may have none.
  }
  return text.split("\n").flatMap((line) => {
    const [, , id, , , home] = line.split(":");
    return id === String(uid) && home !== undefined ? [home] : [];
  });
}
