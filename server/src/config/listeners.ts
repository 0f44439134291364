import { defaultPolicy } from "../access/policy.ts";
import { defaultSocketRights } from "../listen/listener.ts";
import type { ConfiguredListener } from "./access-file.ts";
import type { Config } from "./settings.ts";

/** Where the daemon listens and who may do what there: as its configuration file says, or else by default. */
export function listenersOf(config: Config): readonly ConfiguredListener[] {
  const { configFile, listen, allowedDirs: directories, workDir, tokens } = config;
  if (configFile) return configFile;
  const policy = defaultPolicy({ directories, workDir, tokens });
  const addresses = listen.length > 0 ? listen : [undefined];
  return addresses.map((address) => ({
    listener: { address, socket: defaultSocketRights },
    policy,
    directories,
  }));
}
