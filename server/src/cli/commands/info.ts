import type { Command } from "commander";
import { type Cache, type CacheInfo, resolveLocalDirectory } from "compilecache-client";
import {
  addClientCommand,
  type ClientOptions,
  localDirOption,
  namespaceOption,
  runWithClient,
} from "../client-command.ts";
import {
  type EnvironmentOptions,
  environmentOf,
  requireEnvironment,
} from "../environment-options.ts";
import { exitCode } from "../exit-code.ts";
import { bytesText, dateText, fileCountText } from "../output/quantities.ts";

interface InfoOptions extends ClientOptions, EnvironmentOptions {
  namespace: string;
  dir?: string;
}

/** `compilecache info`: what one environment has, here and in the store. */
export function addInfoCommand(program: Command): void {
  requireEnvironment(addClientCommand(program, "info"))
    .description("tell what an environment has, here and in the store")
    .addOption(namespaceOption())
    .addOption(localDirOption())
    .action((options: InfoOptions) =>
      runWithClient(options, async ({ client, signal, print }) => {
        const { namespace } = options;
        const localDir = resolveLocalDirectory(options.dir);
        const request = { namespace, environment: environmentOf(options), localDir };
        const info = await client.getCacheInfo(request, { signal });
        print(info, infoText(info, namespace, localDir));
        return exitCode.success;
      }),
    );
}

function infoText(info: CacheInfo, namespace: string, localDir: string): string {
  const { stored } = info;
  const here = info.localExists
    ? `${fileCountText(info.localFileCount)}, ${bytesText(info.localBytes)}`
    : "no cache";
  const there = stored ? storedText(stored) : "no cache";
  const note = info.storeNote && ` (${info.storeNote})`;
  return [
    `environment  ${info.environmentKey}`,
    `cache        ${namespace}/${info.cacheKey}`,
    `local        ${localDir}: ${here}`,
    `store        ${info.store}${note}: ${there}`,
  ].join("\n");
}

function storedText({ filename, generation, archiveBytes, createdAt }: Cache): string {
  return [
    filename,
    // An archive that another tool made has none.
    ...(generation > 0 ? [`generation ${generation}`] : []),
    bytesText(archiveBytes),
    `saved ${dateText(createdAt)} UTC`,
  ].join(", ");
}
