import { flushCompileCache, getCompileCacheDir } from "node:module";
import { Command } from "commander";
import { ConfigError, readConfig } from "../../config/config.ts";
import { gcBounds } from "../../config/gc-policy.ts";
import { type Config, flagOf, type SettingKey, settings } from "../../config/settings.ts";
import type { Daemon } from "../../daemon.ts";
import type { Logger } from "../../domain/logger.ts";
import { toolVersion } from "../../domain/tool-version.ts";
import { ListenError } from "../../listen/listen-error.ts";
import { endProcess } from "../end-process.ts";
import { examplesHelp } from "../examples-help.ts";
import { addressHint } from "../hints/address-hint.ts";
import { addSettings, flagsGiven } from "../setting-options.ts";
import { stopWithNpx } from "../stop-with-npx.ts";

const exitCodeOfMistake = 2;
// The first calls come at once, and are not to wait for it.
const keepAfterMs = 2_000;
const settingKeys = Object.keys(settings) as SettingKey[];

/** `compilecache serve`: runs the daemon until SIGTERM, SIGINT, or the end of its use. */
export const serveCommand = new Command("serve")
  .description("run the daemon")
  .helpOption("-h, --help", "show this help")
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : exitCodeOfMistake))
  .action(serve);
addSettings(serveCommand, settingKeys).addHelpText("after", () =>
  examplesHelp([
    "serve --store file:///mnt/shared/compile_cache",
    "serve --store s3://models/caches --allowed-dirs /cache,/tmp",
    "serve --gc-max-bytes 50GB --gc-every 1h",
  ]),
);
for (const option of serveCommand.options)
  if (gcBounds.some((key) => option.long === flagOf(key)))
    option.description = option.description.replace(" [", `; needs ${flagOf("gcEvery")} [`);

const otherAddressAdvice =
  "--listen or COMPILE_CACHE_LISTEN names another address, and compilecache status shows the daemons";

async function serve(options: Record<string, string>): Promise<void> {
  const warnings: string[] = [];
  try {
    const warn = (warning: string) => warnings.push(warning);
    const read = () => readConfig(flagsGiven(options), process.env, warn);
    await run(read, warnings);
  } catch (error) {
    // Whoever mends the mistakes wants to hear at once what is odd besides; there is no log yet.
    if (error instanceof ConfigError) exitWithMistakes([...warnings, ...error.mistakes]);
    if (error instanceof ListenError)
      exitWithMistakes([error.inUse ? `${error.message}; ${otherAddressAdvice}` : error.message]);
    throw error;
  }
}

function exitWithMistakes(mistakes: readonly string[]): never {
  for (const mistake of mistakes) process.stderr.write(`compilecache: ${mistake}\n`);
  process.exit(exitCodeOfMistake);
}

async function run(read: () => Config, warnings: string[]): Promise<void> {
  // The log begins once the libraries are there, which a person would have to wait for in silence.
  if (process.stderr.isTTY) process.stderr.write(`compilecache ${toolVersion} starts\n`);
  // The other commands start sooner without the server's libraries.
  const { startDaemon } = await import("../../daemon.ts");
  const { createLogger } = await import("../../logging.ts");
  // From here to `reloadOnSignal` nothing waits, so no change of the files is missed.
  const config = read();
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
  // A closed pipe ends the other commands; the daemon goes on without a reader of its log.
  process.stdout.removeAllListeners("error").on("error", () => {});
  process.on("unhandledRejection", (error) => logger.error("unhandled rejection", { error }));
  for (const warning of warnings.splice(0)) logger.warn(warning);
  const starting = startDaemon(config, logger);
  const stop = stopper(async () => (await starting).stop(), logger);
  stopOnSignals(stop);
  reloadOnSignal(starting, read, warnings, logger);
  stopWithNpx(() => stop("npx ended"));
  const { idle, addresses } = await starting;
  const hint = addressHint(addresses, process.env);
  if (hint) logger.info(hint);
  keepCompiledCode();
  idle.then(() => stop("idle"));
}

/** Who sets NODE_COMPILE_CACHE has the next daemon start sooner. Node keeps it at its exit, and ours replaces the program. */
function keepCompiledCode(): void {
  if (getCompileCacheDir() !== undefined) setTimeout(flushCompileCache, keepAfterMs).unref();
}

/** SIGHUP has tokens, rules, certificates and keys of caches read again; what is no good leaves those from before. */
function reloadOnSignal(
  starting: Promise<Daemon>,
  read: () => Config,
  warnings: string[],
  logger: Logger,
): void {
  process.on("SIGHUP", async () => {
    try {
      (await starting).reload(read());
      for (const warning of warnings.splice(0)) logger.warn(warning);
      logger.info("the configuration's files were read again");
    } catch (error) {
      const isTold = error instanceof ConfigError || error instanceof ListenError;
      const told = isTold ? { reason: error.message } : { error };
      for (const warning of warnings.splice(0)) logger.warn(warning);
      logger.error("the configuration stays as it was", told);
    }
  });
}

/** The first signal stops the daemon in order, the second one ends it at once. */
function stopOnSignals(stop: (reason: string) => void): void {
  let signalled = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (signalled) endProcess(1);
    signalled = true;
    stop(signal);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** A function that stops the daemon in order and ends this process; only its first call counts. */
function stopper(stop: () => Promise<void>, logger: Logger): (reason: string) => void {
  let stopping = false;
  return (reason) => {
    if (stopping) return;
    stopping = true;
    logger.info("stopping", { reason });
    stop().then(
      () => endProcess(0),
      (error: unknown) => {
        logger.error("could not stop in order", { error });
        endProcess(1);
      },
    );
  };
}
