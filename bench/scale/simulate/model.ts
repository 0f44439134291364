/** What one load demands. */
export interface LoadDemand {
  /** Small requests, one after the other, before the data: looks, manifest, file index. */
  readonly openingRequests: number;
  /** Bytes of all opening requests together. */
  readonly openingBytes: number;
  readonly dataRequests: number;
  readonly dataBytes: number;
  /** How many blocks may be requested and not yet unpacked at once. */
  readonly window: number;
  /** CPU to verify, decompress and write it all. */
  readonly cpuS: number;
  /** What it writes to the node's disk. */
  readonly contentBytes: number;
  /** Seconds that no resource of the model explains: calls, staging, publication. */
  readonly fixedS: number;
}

/** The store that answers the requests of all nodes. */
export interface StoreModel {
  /** Bytes a second of all answers together. */
  readonly bandwidth: number;
  /** The most bytes a second of one answer. */
  readonly requestBandwidth: number;
  /** From a request to its first byte, at rest, in seconds. */
  readonly latencyS: number;
  /** Requests a second in all. */
  readonly requestsPerS: number;
  /** Whether requests beyond that rate wait, or are refused (503) and retried. */
  readonly overload: "queue" | "refuse";
  /** The longest time that the daemon waits for one read. */
  readonly callDeadlineS: number;
}

/** One machine with its pods. */
export interface NodeModel {
  readonly bandwidth: number;
  /** Cores that daemons may use while pods start. */
  readonly cores: number;
  /** Bytes a second that it writes. */
  readonly diskBandwidth: number;
}

/** Pods that start. */
export interface Fleet {
  readonly pods: number;
  readonly podsPerNode: number;
  /** The pods of a node ask one daemon for one directory: one transfer. Otherwise each has its own. */
  readonly isShared: boolean;
  /** Their starts are spread evenly over this many seconds. */
  readonly spreadS: number;
  /** After this time the client treats the load as a miss, and the daemon stops it. */
  readonly loadDeadlineS: number;
}

/** How the AWS SDK retries after a 503, with the settings of the daemon. */
export const retries = {
  attempts: 5,
  firstPauseS: 1,
  longestPauseS: 20,
  /** A read starts new rounds of attempts until no byte has arrived for this time. */
  silenceS: 15,
  longestReadPauseS: 1,
} as const;

export function daemonsPerNode({ podsPerNode, isShared }: Fleet): number {
  return isShared ? 1 : podsPerNode;
}

/** A rate so high that it limits nothing; the simulation needs finite rates. */
export const unbounded = 1e15;
