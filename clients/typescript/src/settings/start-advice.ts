import type { FoundDaemon } from "./find-daemon.ts";

/** Words of whoever gives the advice. */
interface Words {
  readonly command: string;
  /** Where its user names an address. */
  readonly option: string;
}

/** What a user can do where no daemon answers that was looked for: where that was, and how to have one. */
export function startAdvice({ passedOver }: FoundDaemon, { command, option }: Words): string {
  return [
    ...passedOver.map((tried) => `  tried: ${tried.address} ${tried.why}`),
    `Start one with: ${command} serve`,
    `or name one that runs: ${option} or COMPILE_CACHE_ADDRESS (${command} status lists this user's)`,
  ].join("\n");
}
