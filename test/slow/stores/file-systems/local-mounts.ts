import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeExt4 } from "../../../support/machine/ext4.ts";
import { type Lifetime, mount, mountTmpfs } from "../../../support/machine/mounts.ts";
import { findProgram, type Program } from "../../../support/machine/programs.ts";

const sftpServer = "/usr/lib/openssh/sftp-server";

/** A kind of file system of this machine. */
export interface LocalFileSystem {
  readonly name: string;
  readonly needs: readonly Program[];
  readonly hasHardLinks: boolean;
  /** Mounts a new, empty one until `scope` ends; returns where. */
  mount(scope: Lifetime): Promise<string>;
}

export const localFileSystems: readonly LocalFileSystem[] = [
  { name: "ext4", needs: ["mkfs.ext4"], hasHardLinks: true, mount: mountExt4 },
  {
    name: "tmpfs",
    needs: [],
    hasHardLinks: true,
    mount: async (scope) => mountTmpfs(scope, "size=256m"),
  },
  { name: "an overlay", needs: [], hasHardLinks: true, mount: mountOverlay },
  {
    name: "FUSE without hard links",
    needs: ["sshfs", "fusermount3", sftpServer],
    hasHardLinks: false,
    mount: mountSshfs,
  },
];

/** Others that the suite of stores runs on, and no races: what they promise is what ext4 does. */
export const moreFileSystems: readonly LocalFileSystem[] = [
  { name: "XFS", needs: ["mkfs.xfs"], hasHardLinks: true, mount: mountWith("mkfs.xfs") },
  { name: "Btrfs", needs: ["mkfs.btrfs"], hasHardLinks: true, mount: mountWith("mkfs.btrfs") },
];

/** Mounts a file system for the tests of a suite; they get where by calling the result. */
export function mountForSuite({ mount }: LocalFileSystem): () => string {
  const tidy: (() => void)[] = [];
  let target = "";
  before(async () => {
    target = await mount({ after: (step) => tidy.push(step) });
  });
  after(() => {
    for (const step of tidy) step();
  });
  return () => target;
}

const scratch = () => mkdtempSync(join(tmpdir(), "compilecache-mount-"));

function folders(dir: string, ...names: string[]): string[] {
  return names.map((name) => {
    mkdirSync(join(dir, name));
    return join(dir, name);
  });
}

async function mountExt4(scope: Lifetime): Promise<string> {
  const dir = scratch();
  const [target = ""] = folders(dir, "target");
  makeExt4(join(dir, "image"), 256);
  mount(scope, ["-o", "loop", join(dir, "image"), target], target);
  removeAfter(scope, dir);
  return target;
}

function mountWith(maker: Program) {
  return async (scope: Lifetime): Promise<string> => {
    const dir = scratch();
    const [target = ""] = folders(dir, "target");
    const image = join(dir, "image");
    execFileSync("truncate", ["-s", "512M", image]);
    execFileSync(findProgram(maker) ?? maker, ["-q", image]);
    mount(scope, ["-o", "loop", image, target], target);
    removeAfter(scope, dir);
    return target;
  };
}

async function mountOverlay(scope: Lifetime): Promise<string> {
  const dir = scratch();
  const [lower, upper, work, target = ""] = folders(dir, "lower", "upper", "work", "target");
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  mount(scope, ["-t", "overlay", "-o", options, "overlay", target], target);
  removeAfter(scope, dir);
  return target;
}

/** Sshfs without a network: it and an SFTP server talk through pipes. Its hard links are disabled. */
async function mountSshfs(scope: Lifetime): Promise<string> {
  const dir = scratch();
  const [source, target = ""] = folders(dir, "source", "target");
  execFileSync("mkfifo", [join(dir, "requests")]);
  const sshfs = `sshfs ':${source}' '${target}' -f -o passive,disable_hardlink`;
  const pipe = spawn("sh", ["-c", `${sftpServer} < requests | ${sshfs} > requests`], {
    cwd: dir,
    stdio: ["ignore", "ignore", "inherit"],
  });
  scope.after(() => {
    // Without its mount sshfs ends, and so does the server.
    spawnSync("umount", ["-l", target]);
  });
  removeAfter(scope, dir);
  const { dev } = statSync(dir);
  for (let waitedMs = 0; statSync(target).dev === dev; waitedMs += 20) {
    if (waitedMs > 10_000 || pipe.exitCode !== null) throw new Error("sshfs did not mount");
    await sleep(20);
  }
  return target;
}

function removeAfter(scope: Lifetime, dir: string): void {
  scope.after(() => rmSync(dir, { recursive: true, force: true }));
}
