import { setTimeout as sleep } from "node:timers/promises";
import { startCli } from "../cli/run-cli.ts";
import type { Tally } from "./clients.ts";

/**
 * Runs `gc`, `verify` and `sign` on a store, one after the other, until `signal` aborts; every third is
 * killed after a moment. An archive that is not sound is wrong, whenever it is looked at.
 */
export async function keepUpUntil(
  flags: { store: string; signing: string; trusted: string },
  variables: Record<string, string>,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const commands = {
    gc: ["gc", "--delete", "--gc-max-bytes", "15MB", "--gc-keep", "5s"],
    verify: ["verify", "--trusted-keys", flags.trusted],
    sign: ["sign", "--signing-key", flags.signing],
  };
  for (let run = 0; !signal.aborted; run++) {
    const name = (["gc", "verify", "sign"] as const)[run % 3] ?? "gc";
    const { child, ended } = startCli(
      [...commands[name], "--json", "--store", flags.store],
      variables,
    );
    const isKilled = Math.random() < 1 / 3;
    if (isKilled) {
      await sleep(300 + 1_500 * Math.random());
      child.kill("SIGKILL");
    }
    const { exitCode, stdout } = await ended;
    for (const line of stdout.split("\n").filter((line) => line.endsWith("}"))) {
      const { sound, result, reason } = JSON.parse(line);
      if (sound === false || result === "refused") tally.wrong.push(`${name}: ${line}`);
      if (result === "failed" && reason === "INTERNAL") tally.wrong.push(`${name}: ${line}`);
    }
    // The store may be gone at that moment.
    const map = exitCode === 0 || isKilled ? tally.done : tally.failed;
    const what = isKilled ? `${name} killed` : name;
    map.set(what, (map.get(what) ?? 0) + 1);
    await sleep(3_000, undefined, { signal }).catch(() => {});
  }
}
