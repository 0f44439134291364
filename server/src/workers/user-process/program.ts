import { toFailure } from "../failure.ts";
import type { FromUserProcess, StartOptions } from "./messages.ts";
import { serveJobs, startThreads } from "./serve-jobs.ts";
import { takeRightsOf } from "./take-rights.ts";

// The process of a user: it starts as the daemon's user, root, and works with this user's rights. Root
// having started it, no other process of the user may look into it. Its threads are there before, for the
// user may not be able to read their code.

const options = JSON.parse(process.argv[2] ?? "") as StartOptions;
try {
  const pool = await startThreads(options);
  takeRightsOf(options.user);
  serveJobs(pool);
} catch (error) {
  const refused: FromUserProcess = { refused: toFailure(error) };
  process.send?.(refused, () => process.exit(1));
}
