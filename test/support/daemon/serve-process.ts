import type { TestContext } from "node:test";
import { type DaemonProcess, startDaemonProcess } from "../../../fixtures/daemon-process.ts";

/** Starts a daemon with these flags and variables, and no others; it is killed with the test. */
export function spawnServe(
  t: TestContext,
  flags: string[],
  environment: Record<string, string> = {},
): DaemonProcess {
  const daemon = startDaemonProcess({ flags, environment });
  t.after(() => daemon.end("SIGKILL"));
  return daemon;
}
