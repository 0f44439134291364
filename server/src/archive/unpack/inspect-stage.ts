import { existsSync, readdirSync } from "node:fs";
import type { Checkpoint } from "../../local/tree/tree.ts";
import type { InspectJob, StageContent } from "./port.ts";

/** Counts the files in a stage, and those of the given names that are missing from it. */
export function inspectStage({ stage, names }: InspectJob, checkpoint: Checkpoint): StageContent {
  const entries = readdirSync(stage.path, { recursive: true, withFileTypes: true });
  return {
    fileCount: entries.filter((entry) => entry.isFile()).length,
    absent: names.filter((name) => {
      checkpoint();
      return !existsSync(`${stage.path}/${name}`);
    }).length,
  };
}
