import { toFailure } from "../failure.ts";
import type { FromUserProcess, StartOptions } from "./messages.ts";
import { takeRightsOf } from "./take-rights.ts";

// The process of a user: it starts as the daemon's user, root, and works with this user's rights. Root
// having started it, no other process of the user may look into it.

const options = JSON.parse(process.argv[2] ?? "") as StartOptions;
try {
  takeRightsOf(options.user);
  const { serveJobs } = await import("./serve-jobs.ts");
  serveJobs(options);
} catch (error) {
  const refused: FromUserProcess = { refused: toFailure(error) };
  process.send?.(refused, () => process.exit(1));
}
