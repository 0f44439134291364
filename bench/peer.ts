import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { succeed } from "./cost.ts";

/** What the peer took for one save and one load of a directory, on tmpfs. */
export interface PeerRun {
  readonly saveS: number;
  readonly loadS: number;
  readonly archiveBytes: number;
}

const script = fileURLToPath(import.meta.resolve("../../shared/peers/b10_transfer_baseline.py"));

/** The script that times b10-transfer 0.4.1; undefined where it is absent or cannot work. */
export function findPeer(): string | undefined {
  // The script mounts its own file systems, which only root may do.
  return existsSync(script) && process.getuid?.() === 0 ? script : undefined;
}

export async function runPeer(peer: string, dir: string): Promise<PeerRun> {
  const child = spawn("python3", [peer, dir, "--runs", "1", "--tmpfs"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = await Promise.all([text(child.stdout), succeed(child, "the peer")]);
  const { save_s, load_s, archive_bytes } = JSON.parse(output.trim().split("\n").at(-1) ?? "");
  return { saveS: save_s[0], loadS: load_s[0], archiveBytes: archive_bytes };
}
