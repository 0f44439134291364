import type { Command } from "commander";
import { ConfigError } from "../../config/config.ts";
import { CacheError } from "../../domain/cache-error.ts";
import { exitCode } from "../exit-code.ts";
import { commandName } from "../hints/command-name.ts";
import { drawBytes } from "../output/byte-bar.ts";
import { addStoreCommand, runOnStore, type StoreOptions } from "../store-command.ts";

/** `compilecache sign`: signs what is stored already. */
export function addSignCommand(program: Command): void {
  addStoreCommand(program, "sign", ["signingKey", "trustedKeys"], ["sign --signing-key team.key"])
    .description(
      "sign the archives that are stored, each once it proved sound; you vouch for who wrote them, " +
        "unless --trusted-keys names keys that must have signed them before",
    )
    .action((options: StoreOptions) =>
      runOnStore(options, async ({ context, config, names, signal, print }) => {
        if (!config.signingKey)
          throw new ConfigError([
            "there is no key to sign with: name its file with --signing-key or " +
              `COMPILE_CACHE_SIGNING_KEY (${commandName()} keygen makes one)`,
          ]);
        const { signArchive } = await import("../../upkeep/sign.ts");
        let failed = 0;
        let signed = 0;
        for (const name of names) {
          const label = `${name.namespace}/${name.filename}`;
          try {
            const result = await drawBytes(label, signArchive(context, name, signal));
            if (result === "signed" || result === "is signed") signed += 1;
            print({ ...name, result }, `${label}: ${result}`);
          } catch (error) {
            if (!(error instanceof CacheError) || !isOfArchive(error)) throw error;
            failed += 1;
            const { reason, message } = error;
            print(
              { ...name, result: "refused", reason, message },
              `${label}: ${message} (${reason})`,
            );
          }
        }
        if (!options.json)
          print(
            {},
            `${signed} of ${names.length} are signed by this key; daemons that have its .pub file as ` +
              "--trusted-keys load them",
          );
        return failed > 0 ? exitCode.failure : exitCode.success;
      }),
    );
}

/** Whether an error is about one archive, so that the others can be signed all the same. */
function isOfArchive({ reason }: CacheError): boolean {
  return reason.startsWith("ARCHIVE_") || reason === "CACHE_TOO_LARGE";
}
