import * as fs from "node:fs";
import { dirname } from "node:path";

const mostLinks = 40;
const othersWrite = 0o002;
const groupWrites = 0o020;
const sticky = 0o1000;

/**
 * A normalised path with links resolved, as far as it exists, that nobody but root and this process's user
 * can have made or exchanged. Others stay in it, and whoever opens it component by component refuses them.
 */
export function throughOwnLinks(path: string): string {
  const names = path.split("/").filter(Boolean);
  let reached = "/";
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === "." || name === "..") {
      // Only a link's target holds these, and what is above what was reached holds no link.
      reached = name === "." ? reached : dirname(reached);
      continue;
    }
    const next = reached === "/" ? `/${name}` : `${reached}/${name}`;
    const target = links < mostLinks ? targetOf(next) : undefined;
    if (target === undefined) {
      reached = next;
      continue;
    }
    links += 1;
    names.unshift(...target.split("/").filter(Boolean));
    if (target.startsWith("/")) reached = "/";
  }
  return reached;
}

function targetOf(path: string): string | undefined {
  try {
    const link = fs.lstatSync(path);
    if (!link.isSymbolicLink()) return undefined;
    return isOwn(link) && isHeld(fs.lstatSync(dirname(path))) ? fs.readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function isOwn({ uid }: fs.Stats): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

/** Whether nobody else can put another entry in the place of one of ours. */
function isHeld(directory: fs.Stats): boolean {
  // A user's group may be many; root's word is worth more than what a group writes.
  const writers = process.geteuid?.() === 0 ? othersWrite | groupWrites : othersWrite;
  const isOpen = (directory.mode & writers) !== 0 && (directory.mode & sticky) === 0;
  return isOwn(directory) && !isOpen;
}
