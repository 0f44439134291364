/** What one load demands. */
export interface LoadDemand {
  /** Small requests, one after the other, before the data: looks, manifest, file index. */
  readonly openingRequests: number;
  /** Bytes of all of these together. */
  readonly openingBytes: number;
  readonly dataRequests: number;
  readonly dataBytes: number;
  /** Data requests whose blocks are asked for, or not unpacked yet, at once. */
  readonly window: number;
  /** CPU to verify, decompress and write it all. */
  readonly cpuS: number;
  /** What it writes to the node's disk. */
  readonly contentBytes: number;
  /** Time that no resource here explains: calls, stage, publication. */
  readonly fixedS: number;
}

/** What answers the requests of all nodes. */
export interface StoreModel {
  /** Bytes a second in all. */
  readonly bandwidth: number;
  /** Bytes a second of one request's answer. */
  readonly requestBandwidth: number;
  /** From a request to its first byte, at rest, in seconds. */
  readonly latencyS: number;
  /** Requests a second in all. */
  readonly requestsPerS: number;
  /** What becomes of requests beyond: they wait, or are refused (503) and come again. */
  readonly overload: "queue" | "refuse";
  /** Longest that the daemon waits for one read. */
  readonly callDeadlineS: number;
}

/** One machine with its pods. */
export interface NodeModel {
  readonly bandwidth: number;
  /** That daemons may use while pods start. */
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
  /** They start evenly spread over so many seconds. */
  readonly spreadS: number;
  /** After this a client takes the load for a miss, and the daemon stops it. */
  readonly loadDeadlineS: number;
}

/** How the AWS SDK, as the daemon sets it up, comes back after a 503. */
export const retries = {
  attempts: 5,
  firstPauseS: 1,
  longestPauseS: 20,
  /** A read begins its attempts anew as long as a byte has come within this time. */
  silenceS: 15,
  longestReadPauseS: 1,
} as const;

export function daemonsPerNode({ podsPerNode, isShared }: Fleet): number {
  return isShared ? 1 : podsPerNode;
}

/** A rate so high that it bounds nothing; the simulation counts with finite ones. */
export const unbounded = 1e15;
