import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { type Lifetime, mount } from "../../../../support/machine/mounts.ts";
import type { NfsVersion } from "./mounts.ts";

/** The disk that is small enough to run full, as the server itself sees it. */
export const smallDisk = "/mnt/export/small";

const run = (command: string) => execFileSync("sh", ["-c", command], { stdio: "pipe" });

/** Exports the small disk anew, `rw` or `ro`; clients keep their mounts. */
export function exportSmallDisk(access: "rw" | "ro"): void {
  run(
    `exportfs -o ${access},no_root_squash,no_subtree_check,sync,insecure,fsid=1 '*:${smallDisk}'`,
  );
  run("exportfs -f");
}

/** Mounts the small disk for a test, at the first client. */
export function mountSmallDisk(t: Lifetime, version: NfsVersion): string {
  const target = mkdtempSync("/mnt/small-");
  const options = optionsOf(version);
  mount(t, ["-t", "nfs", "-o", options, `127.0.0.1:${pathOf(version, "/small")}`, target], target);
  return target;
}

/**
 * Mounts the export once more for a test, over the network that can be cut; with its own caches.
 * `soft` gives up soon where `hard` waits for the server.
 */
export function mountOverNetwork(t: Lifetime, version: NfsVersion, kind: "soft" | "hard"): string {
  const target = mkdtempSync("/mnt/network-");
  const options = `${optionsOf(version)},nosharecache,${kind},timeo=10,retrans=1`;
  const source = `10.77.0.1:${pathOf(version, "/")}`;
  run(
    `nsenter --net=/run/netns/second unshare --uts sh -c 'hostname second && mount -t nfs -o ${options} ${source} ${target}'`,
  );
  t.after(() => run(`umount -l ${target}`));
  return target;
}

/** Cuts the network between the server and the second client, or mends it. */
export function setNetwork(state: "down" | "up"): void {
  run(`ip link set server ${state}`);
}

/** Stops the server, and starts it again. */
export async function restartServer(): Promise<void> {
  run("rpc.nfsd 0");
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  run("rpc.nfsd --grace-time 10 --lease-time 10 4");
}

function optionsOf(version: NfsVersion): string {
  return version === "v3" ? "vers=3,proto=tcp,nolock" : "vers=4.2,proto=tcp";
}

function pathOf(version: NfsVersion, path: string): string {
  if (version === "v4.2") return path;
  return path === "/" ? "/mnt/export" : `/mnt/export${path}`;
}
