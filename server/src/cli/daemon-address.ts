import { InvalidArgumentError, Option } from "commander";
import { CacheServiceError } from "compilecache-client";
import {
  type FoundDaemon,
  findDaemon,
  type PassedOver,
  parseAddress,
  startAdvice,
} from "compilecache-client/daemons";
import { harmless } from "../domain/harmless-text.ts";
import { knownDaemons } from "./daemons.ts";
import { commandName } from "./hints/command-name.ts";

/** Names the daemon; commander's error for nonsense names flag or variable, whichever it was. */
export function addressOption(): Option {
  return new Option("--address <address>", "the daemon: unix:/path, /path or host:port")
    .env("COMPILE_CACHE_ADDRESS")
    .argParser((text) => {
      if (text.trim() === "") return undefined;
      try {
        return parseAddress(text);
      } catch (error) {
        if (!(error instanceof CacheServiceError)) throw error;
        throw new InvalidArgumentError("Give unix:/path, /path, host:port or [ipv6]:port.");
      }
    });
}

/** The daemon that calls go to: the one that is named, else the first that is found. */
export function daemonFor(address: string | undefined): FoundDaemon {
  if (address !== undefined) return { address, found: "configured", passedOver: [] };
  // The option has read the variable.
  return findDaemon({ ...process.env, COMPILE_CACHE_ADDRESS: "" });
}

/** Says on stderr which daemon is taken, where that is not the one that everybody would expect. */
export function sayWhich({ address, found, passedOver }: FoundDaemon): void {
  const others = passedOver.filter(isOfAnotherStore);
  for (const other of others) say(`${other.address} ${other.why}`);
  if (found === "own") say(`taking the daemon that Python started: ${address}`);
  else if (others.length > 0 && found !== "nothing") say(`taking ${address}`);
}

/** The client's words for that nothing answers, without its advice, which knows no flags. */
export function withoutAdvice(message: string): string {
  return message.replace(/\n.*$/s, "");
}

/** Whether a failure to connect says that nobody listens there, not that somebody does who cannot be talked to. */
export function isNobodyThere({ found }: FoundDaemon, problem: string): boolean {
  return found === "nothing" || /\b(ENOENT|ECONNREFUSED)\b|^no daemon runs at/.test(problem);
}

/** What a user can do where nothing answers, after where was looked. */
export function adviceFor(
  daemon: FoundDaemon,
  { inStatus = false }: { readonly inStatus?: boolean } = {},
): string {
  const command = commandName();
  const { address, found, passedOver } = daemon;
  if (found === "configured") return `Start one with: ${command} serve --listen ${address}`;
  const words = { command, option: "--address", isInStatus: inStatus };
  const others = found === "nothing" ? daemonsOfOtherStores(passedOver) : [];
  return [...others, startAdvice(daemon, words)].join("\n");
}

/** Where none is found, a line for each daemon that runs all the same, and so is of another store. */
export function daemonsOfOtherStores(passedOver: readonly PassedOver[]): string[] {
  // The rest is of others by its place.
  const isForbidden = (address: string) =>
    passedOver.some((tried) => tried.address === address && !isOfAnotherStore(tried));
  return knownDaemons(process.env).flatMap(({ address, state }) =>
    state && !isForbidden(address)
      ? [
          `a daemon runs at ${address}, but for the store ${state.store}:`,
          `  set COMPILE_CACHE_STORE to that, or name the daemon by --address`,
        ]
      : [],
  );
}

function isOfAnotherStore({ why }: PassedOver): boolean {
  return why.startsWith("is of a daemon of another store");
}

function say(text: string): void {
  process.stderr.write(`compilecache: ${harmless(text)}\n`);
}
