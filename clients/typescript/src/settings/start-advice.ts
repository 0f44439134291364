import type { FoundDaemon } from "./find-daemon.ts";
import { isOfThisMachine } from "./identity.ts";

/** Words of whoever gives the advice. */
interface Words {
  readonly command: string;
  /** Where its user names an address. */
  readonly option: string;
  /** Whether it is given by the command that lists daemons. */
  readonly isInStatus?: boolean;
}

/** What a user can do where no daemon answers that was looked for: where that was, and how to have one. */
export function startAdvice({ passedOver }: FoundDaemon, words: Words): string {
  const { command, option, isInStatus = false } = words;
  return [
    ...passedOver.map((tried) => `  tried: ${tried.address} ${tried.why}`),
    `Start one with: ${command} serve`,
    isInStatus
      ? `A daemon on another socket is found by ${option} or COMPILE_CACHE_ADDRESS`
      : `or name one that runs: ${option} or COMPILE_CACHE_ADDRESS (${command} status lists this user's)`,
  ].join("\n");
}

/** The same where a daemon was looked for at an address that its user names; undefined for another machine's. */
export function startThereAdvice(address: string, command: string): string | undefined {
  if (!isOfThisMachine(address) || address.startsWith("unix-abstract:")) return undefined;
  return `Start one there with: ${command} serve --listen ${address}`;
}
