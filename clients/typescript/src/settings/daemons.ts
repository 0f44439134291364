// How daemons are found and told apart, for the daemon and its command line.
export { parseAddress } from "./address.ts";
export {
  type DaemonState,
  processIdentity,
  readDaemonState,
  stateOfLife,
  statePathOf,
} from "./daemon-state.ts";
export { type FoundDaemon, findDaemon, type PassedOver } from "./find-daemon.ts";
export { ownDaemonDirectories } from "./own-daemon.ts";
export { startAdvice } from "./start-advice.ts";
