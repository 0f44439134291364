import type { Command } from "commander";
import { exitCode } from "../exit-code.ts";
import { drawBytes } from "../output/byte-bar.ts";
import { bytesText } from "../output/quantities.ts";
import { setAsideText } from "../output/set-aside-text.ts";
import { addStoreCommand, runOnStore, type StoreOptions } from "../store-command.ts";

/** `compilecache verify`: reads what is stored to its end. */
export function addVerifyCommand(program: Command): void {
  addStoreCommand(
    program,
    "verify",
    ["trustedKeys"],
    ["verify", "verify --namespace llama-8b --trusted-keys team.pub"],
  )
    .description(
      "read all archives of the store to their ends, against their digests and signatures; changes nothing",
    )
    .action((options: StoreOptions) =>
      runOnStore(options, async ({ context, config, names, signal, print }) => {
        const { verifyArchive } = await import("../../upkeep/verify.ts");
        let sound = 0;
        let unsound = 0;
        for (const name of names) {
          const label = `${name.namespace}/${name.filename}`;
          const verdict = await drawBytes(label, verifyArchive(context, name, signal));
          if (!verdict) continue;
          const { error, bytes, signedBy } = verdict;
          if (error) unsound += 1;
          else sound += 1;
          const told = { ...name, bytes, ...(signedBy ? { signed_by: signedBy } : {}) };
          const answer = error
            ? { ...told, sound: false, reason: error.reason, message: error.message }
            : { ...told, sound: true };
          const known = config.trustedKeys ? "signed by" : "not checked whether signed by";
          const by = signedBy ? `, ${known} ${signedBy}` : "";
          print(
            answer,
            error
              ? `${label}: ${error.message} (${error.reason})`
              : `${label}: sound, ${bytesText(bytes)}${by}`,
          );
        }
        if (!options.json) {
          const { setAsideIn } = await import("../../upkeep/set-aside.ts");
          const inventory = await context.store.inventory(signal);
          const aside = setAsideIn(inventory, options.namespace);
          for (const each of aside) print({}, setAsideText(each));
          const set = aside.length > 0 ? `, ${aside.length} set aside` : "";
          print({}, `${sound} sound, ${unsound} not${set}, in ${context.store.url}`);
        }
        return unsound > 0 ? exitCode.failure : exitCode.success;
      }),
    );
}
