import { rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { generateKeys, parseSigningKey } from "../../signing/keys.ts";
import { examplesHelp } from "../examples-help.ts";
import { exitCode } from "../exit-code.ts";
import { tellFailure } from "../failure.ts";
import { commandName } from "../hints/command-name.ts";

/** `compilecache keygen`: makes a pair of keys, to sign caches and to trust them. */
export function addKeygenCommand(program: Command): void {
  program
    .command("keygen")
    .description("make a key that signs caches, and the one that daemons trust it by")
    .helpOption("-h, --help", "show this help")
    .argument("[name]", "begins the files' names: <name>.key and <name>.pub", "compilecache")
    .option("--json", "print JSON for programs")
    .addHelpText("after", () => examplesHelp(["keygen team"]))
    .action((name: string, { json = false }: { json?: boolean }) => {
      process.exitCode = keygen(resolve(name), json);
    });
}

function writeNewKey(path: string, signingKey: string, publicPath: string): void {
  try {
    writeFileSync(path, signingKey, { mode: 0o600, flag: "wx" });
  } catch (error) {
    rmSync(publicPath);
    throw error;
  }
}

function whyNot({ code, message, path = "" }: NodeJS.ErrnoException): string {
  if (code === "EEXIST")
    return `${path} is there already, and is not replaced: give another name (${commandName()} keygen NAME)`;
  if (code === "ENOENT") return `there is no directory ${dirname(path)}: make it, or name another`;
  if (code === "EACCES") return `${path} may not be written by this user: name another place`;
  return message;
}

function keygen(path: string, json: boolean): number {
  const { signingKey, trustedKey } = generateKeys();
  const [privatePath, publicPath] = [`${path}.key`, `${path}.pub`];
  try {
    // Neither replaces one that is there: what it signed could not be loaded any more. The public one
    // comes first, for without the other it does no harm.
    writeFileSync(publicPath, trustedKey, { mode: 0o644, flag: "wx" });
    writeNewKey(privatePath, signingKey, publicPath);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isThere = code === "EEXIST";
    tellFailure(
      {
        code: isThere ? "ALREADY_EXISTS" : "FAILED_PRECONDITION",
        message: `no keys were made: ${whyNot(error as NodeJS.ErrnoException)}`,
      },
      json,
    );
    return exitCode.failure;
  }
  const { id } = parseSigningKey(signingKey);
  if (json) {
    const made = { id, signing_key: privatePath, trusted_key: publicPath };
    process.stdout.write(`${JSON.stringify(made)}\n`);
    return exitCode.success;
  }
  process.stdout.write(
    `key ${id}\n` +
      `  ${privatePath}  signs: COMPILE_CACHE_SIGNING_KEY of daemons that save; keep it secret\n` +
      `  ${publicPath}  is trusted: COMPILE_CACHE_TRUSTED_KEYS of daemons that load\n` +
      `Next: ${commandName()} sign --signing-key ${privatePath} signs what is stored already;\n` +
      "docs/security.md tells how daemons change over without a load that fails.\n",
  );
  return exitCode.success;
}
