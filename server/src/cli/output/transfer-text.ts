import type {
  Cache,
  ClosestCache,
  Environment,
  LeftOutReason,
  LoadOutcome,
  SaveOutcome,
  Transfer,
} from "compilecache-client";
import { isB10ArchiveName } from "../../domain/b10-archive.ts";
import { environmentComponents } from "../../domain/environment.ts";
import { wholeEnvironment } from "../environment/whole-environment.ts";
import { commandName } from "../hints/command-name.ts";
import { bytesText, durationText, fileCountText } from "./quantities.ts";

/** What the caller of a load knows beyond its transfer. */
export interface Asked {
  readonly localDir: string;
  readonly environment: Environment;
}

/** The state of a transfer, in one line but for a miss. It says what differs from what was `asked`. */
export function transferText(transfer: Transfer, asked?: Asked): string {
  const { status, error, outcome } = transfer;
  const what = `${transfer.kind} ${nameOf(transfer)}`;
  if (status === "not_started") return `${what}: waiting for other work on the directory`;
  if (status === "in_progress") return `${what}: ${transfer.phase}, ${progressText(transfer)}`;
  if (status !== "success") return `${what}: ${status}${error ? `: ${error.message}` : ""}`;
  if (outcome?.kind === "load") return loadText(transfer, outcome, asked);
  if (outcome?.kind === "save") return saveText(transfer, outcome, asked);
  return `copied ${amountText(transfer)} in ${durationOf(transfer)}`;
}

/** Where it came from, if not from an archive of ours. */
function sourceText({ cache }: LoadOutcome): string {
  return cache && isB10ArchiveName(cache.filename)
    ? `, from b10-transfer's archive ${cache.filename}`
    : "";
}

function loadText(transfer: Transfer, outcome: LoadOutcome, asked: Asked | undefined): string {
  const directory = asked?.localDir ?? "the directory";
  switch (outcome.status) {
    case "does_not_exist": {
      const { closest } = outcome;
      const why = closest
        ? `; the closest is ${nameOf(closest.cache)}, which differs in${differenceText(closest, asked)}`
        : "";
      const note = outcome.note ? `; ${outcome.note}` : "";
      return `the store holds no cache ${nameOf(transfer)}${why}${note}`;
    }
    case "skipped":
      return `skipped: ${directory} holds files already (--if-local-exists says what else to do)`;
    default:
      return (
        `loaded ${amountText(transfer)} of ${nameOf(transfer)} into ${directory} in ` +
        `${durationOf(transfer)}${sourceText(outcome)}`
      );
  }
}

/** `gpu`, or where it is known what was asked for, a line with both values for each component. */
function differenceText({ cache, differing }: ClosestCache, asked: Asked | undefined): string {
  if (!asked || !cache.environment) return ` ${differing.join(", ")}`;
  const here = environmentComponents(wholeEnvironment(asked.environment));
  const stored = environmentComponents(wholeEnvironment(cache.environment));
  const value = (components: ReadonlyMap<string, string>, name: string) =>
    components.get(name) || "none";
  return differing
    .map((name) => `\n  ${name}: here ${value(here, name)}, stored ${value(stored, name)}`)
    .join("");
}

function saveText(transfer: Transfer, outcome: SaveOutcome, asked: Asked | undefined): string {
  const { status, cache } = outcome;
  const leftOut = leftOutText(outcome);
  if (status === "skipped") return `skipped: ${whySkipped(transfer, outcome, asked)}${leftOut}`;
  const archive = cache ? `, archive ${bytesText(cache.archiveBytes)}` : "";
  return `saved ${amountText(transfer)} as ${nameOf(transfer)}${archive}, in ${durationOf(transfer)}${leftOut}`;
}

const leftOutWords: Record<LeftOutReason, string> = {
  link: "symbolic links",
  unreadable: "not readable",
  temporary: "locks and temporary files",
  name: "names that an archive cannot hold",
  changed: "changed or still being written",
  special: "sockets, pipes or devices",
  unknown: "another reason",
};

/** What a save left out, but for the locks and temporary files that are always there. */
function leftOutText({ leftOut }: SaveOutcome): string {
  const unusual = leftOut.filter(({ reason }) => reason !== "temporary");
  if (unusual.length === 0) return "";
  const reasons = unusual.map(({ reason, fileCount, examples }) => {
    const shown = fileCount > examples.length ? [...examples, "..."] : examples;
    return `${leftOutWords[reason]}: ${fileCount.toLocaleString("en-US")} (${shown.join(", ")})`;
  });
  const count = unusual.reduce((sum, { fileCount }) => sum + fileCount, 0);
  return `; left out ${fileCountText(count)}, ${reasons.join("; ")}`;
}

function whySkipped(
  transfer: Transfer,
  { skipReason, cache }: SaveOutcome,
  asked: Asked | undefined,
): string {
  const directory = asked?.localDir ?? "the directory";
  const name = nameOf(transfer);
  switch (skipReason) {
    case "already_stored":
      return `the store holds ${name} already (--if-stored-exists says what else to do)`;
    case "no_files":
      return `${directory} holds no files to save`;
    case "not_loaded":
      return "the directory is marked as not loaded, because a load or clear of it was interrupted; the next load finishes or clears it";
    case "too_little_new":
      return `the directory holds little or nothing that ${name} lacks`;
    case "too_large": {
      const kept = cache ? `; the store keeps ${name} as it is` : "";
      return `the directory is over MAX_CACHE_SIZE_MB, MAX_CONTENT_SIZE_MB or MAX_FILE_COUNT of the daemon, whose log says how far${kept}`;
    }
    case "unfinished":
      return "what there is to save changed, could not be read, or was still being written";
    default:
      return "nothing was saved";
  }
}

/** `1,258 files (72.6 MB)`. */
function amountText({ filesDone, bytesDone }: Transfer): string {
  return `${fileCountText(filesDone)} (${bytesText(bytesDone)})`;
}

function durationOf({ startedAt, completedAt = startedAt }: Transfer): string {
  return durationText(completedAt.getTime() - startedAt.getTime());
}

function progressText({ bytesDone, bytesTotal, filesDone, filesTotal }: Transfer): string {
  const bytes = `${bytesText(bytesDone)} of ${bytesText(bytesTotal)}`;
  return `${bytes}, ${filesDone.toLocaleString("en-US")} of ${fileCountText(filesTotal)}`;
}

/** `namespace/cache key`, or the operation name of a copy. */
function nameOf(named: Transfer | Cache): string {
  if ("operationName" in named && named.cacheKey === "") return named.operationName;
  return `${named.namespace}/${named.cacheKey}`;
}

/** One line for a user who does not wait: the operation id, and how to follow it. */
export function startedText({ kind, operationId }: Transfer): string {
  return `started ${kind} ${operationId}; follow it with: ${commandName()} watch ${operationId}`;
}
