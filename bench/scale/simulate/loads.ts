import { createRandom } from "../../../fixtures/random.ts";
import { TokenBucket } from "../token-bucket.ts";
import { EventQueue } from "./event-queue.ts";
import {
  daemonsPerNode,
  type Fleet,
  type LoadDemand,
  type NodeModel,
  retries,
  type StoreModel,
} from "./model.ts";
import { type Flow, SharedLink } from "./shared-link.ts";

/** The store refused for too long, a read took too long, or the client's deadline came. */
export type FailureCause = "refused" | "slow" | "deadline";

/** The result of the loads of a fleet. Pods that share a daemon count one by one. */
export interface FleetResult {
  /** Seconds from the start of each pod until it had its cache, in order; without those that failed. */
  readonly podsEndS: readonly number[];
  /** Pods that have to compile. */
  readonly failedPods: number;
  /** How many pods failed for each cause. */
  readonly causes: Readonly<Record<FailureCause, number>>;
  /** Bytes that the store has sent, for loads that failed too. */
  readonly servedBytes: number;
  /** Requests that it has answered, and those that it refused. */
  readonly requests: number;
  readonly refused: number;
}

interface Daemon {
  readonly node: number;
  readonly pods: number;
  readonly startS: number;
  opened: number;
  asked: number;
  /** Blocks that arrived before an earlier block did. */
  readonly early: Set<number>;
  /** Blocks passed on to the node, in order. */
  given: number;
  unpacked: number;
  readonly flows: Set<Flow<Request>>;
  state: "loading" | "done" | "failed";
}

interface Request {
  readonly daemon: Daemon;
  readonly kind: "opening" | "data";
  /** The number of the block, of data requests. */
  readonly block: number;
  readonly bytes: number;
  readonly askedS: number;
  /** Attempts so far in this round of attempts, and completed rounds. */
  attempt: number;
  rounds: number;
}

type Event =
  | { readonly kind: "start" | "unpacked" | "deadline"; readonly daemon: Daemon }
  | { readonly kind: "ask" | "answer"; readonly request: Request };

/**
 * Pods start, ask the store for one archive, and unpack it. Requests pass the store's admission, wait
 * its latency, and share its bandwidth. Blocks go through the node's cores and disk in the order of
 * the archive, those of several daemons as they come, while more are on their way.
 */
export function simulateLoads(
  fleet: Fleet,
  demand: LoadDemand,
  store: StoreModel,
  node: NodeModel,
  seed = 1,
): FleetResult {
  const random = createRandom(seed);
  const chance = () => random.uint32() / 2 ** 32;
  const events = new EventQueue<Event>();
  const perNode = daemonsPerNode(fleet);
  // The requests that a node has under way at once share its link.
  const link = new SharedLink<Request>(
    store.bandwidth,
    Math.min(store.requestBandwidth, node.bandwidth / (perNode * demand.window)),
  );
  const bucket = new TokenBucket(store.requestsPerS, Math.max(1, store.requestsPerS));
  let admittedAt = 0;
  const nodeFreeAt = new Float64Array(Math.ceil(fleet.pods / fleet.podsPerNode));
  const blockBytes = demand.dataBytes / demand.dataRequests;
  const unpackS = Math.max(demand.cpuS / node.cores, demand.contentBytes / node.diskBandwidth);
  const podsEndS: number[] = [];
  const causes: Record<FailureCause, number> = { refused: 0, slow: 0, deadline: 0 };
  let [requests, refused] = [0, 0];

  const daemons = startDaemons(fleet);
  for (const daemon of daemons) {
    events.push(daemon.startS, { kind: "start", daemon });
    events.push(daemon.startS + fleet.loadDeadlineS, { kind: "deadline", daemon });
  }

  const fail = (daemon: Daemon, cause: FailureCause, now: number) => {
    if (daemon.state !== "loading") return;
    daemon.state = "failed";
    causes[cause] += daemon.pods;
    for (const flow of daemon.flows) link.stop(now, flow);
  };
  const askNew = (daemon: Daemon, kind: Request["kind"], bytes: number, now: number) =>
    ask({ daemon, kind, block: daemon.asked - 1, bytes, askedS: now, attempt: 0, rounds: 0 }, now);
  const askForMore = (daemon: Daemon, now: number) => {
    const { openingRequests, openingBytes, dataRequests, window } = demand;
    if (daemon.opened < openingRequests)
      askNew(daemon, "opening", openingBytes / openingRequests, now);
    else
      while (daemon.asked < dataRequests && daemon.asked - daemon.unpacked < window) {
        daemon.asked += 1;
        askNew(daemon, "data", blockBytes, now);
      }
  };
  const ask = (request: Request, now: number) => {
    if (store.overload === "refuse" && !bucket.take(now)) {
      refused += 1;
      comeAgain(request, now + store.latencyS);
      return;
    }
    requests += 1;
    if (store.overload === "queue") admittedAt = Math.max(now, admittedAt) + 1 / store.requestsPerS;
    else admittedAt = now;
    events.push(admittedAt + store.latencyS, { kind: "answer", request });
  };
  const comeAgain = (request: Request, now: number) => {
    const { attempts, firstPauseS, longestPauseS, silenceS, longestReadPauseS } = retries;
    let pauseS = chance() * Math.min(longestPauseS, firstPauseS * 2 ** request.attempt);
    request.attempt += 1;
    if (request.attempt === attempts) {
      request.attempt = 0;
      request.rounds += 1;
      pauseS = chance() * Math.min(longestReadPauseS, 0.05 * 2 ** request.rounds);
    }
    if (now + pauseS > request.askedS + silenceS)
      fail(request.daemon, "refused", request.askedS + silenceS);
    else events.push(now + pauseS, { kind: "ask", request });
  };
  const arrived = ({ daemon, kind, block, askedS }: Request, now: number) => {
    if (daemon.state !== "loading") return;
    if (now - askedS > store.callDeadlineS) return fail(daemon, "slow", now);
    if (kind === "data") {
      daemon.early.add(block);
      for (; daemon.early.delete(daemon.given); daemon.given++) {
        const begin = Math.max(now, nodeFreeAt[daemon.node] as number);
        const end = begin + unpackS / demand.dataRequests;
        nodeFreeAt[daemon.node] = end;
        events.push(end, { kind: "unpacked", daemon });
      }
    } else {
      daemon.opened += 1;
      askForMore(daemon, now);
    }
  };
  const happen = (event: Event, now: number) => {
    const daemon = "request" in event ? event.request.daemon : event.daemon;
    if (daemon.state !== "loading") return;
    if (event.kind === "start") askForMore(daemon, now);
    else if (event.kind === "ask") ask(event.request, now);
    else if (event.kind === "answer")
      daemon.flows.add(link.start(now, event.request.bytes, event.request));
    else if (event.kind === "deadline") fail(daemon, "deadline", now);
    else {
      daemon.unpacked += 1;
      askForMore(daemon, now);
      if (daemon.unpacked < demand.dataRequests) return;
      const endS = now - daemon.startS + demand.fixedS;
      if (endS > fleet.loadDeadlineS) return fail(daemon, "deadline", now);
      daemon.state = "done";
      for (let pod = 0; pod < daemon.pods; pod++) podsEndS.push(endS);
    }
  };

  for (;;) {
    const linkAt = link.nextAt();
    const now = Math.min(events.nextAt, linkAt);
    if (now === Number.POSITIVE_INFINITY) break;
    if (linkAt <= events.nextAt) arrived(link.finish(), now);
    else happen(events.pop(), now);
  }
  podsEndS.sort((a, b) => a - b);
  const failedPods = Object.values(causes).reduce((sum, pods) => sum + pods, 0);
  return { podsEndS, failedPods, causes, servedBytes: link.servedBytes, requests, refused };
}

function startDaemons(fleet: Fleet): Daemon[] {
  const { pods, podsPerNode, isShared, spreadS } = fleet;
  const step = isShared ? podsPerNode : 1;
  const daemons: Daemon[] = [];
  for (let pod = 0; pod < pods; pod += step)
    daemons.push({
      node: Math.floor(pod / podsPerNode),
      pods: Math.min(step, pods - pod),
      startS: (spreadS * pod) / pods,
      opened: 0,
      asked: 0,
      early: new Set(),
      given: 0,
      unpacked: 0,
      flows: new Set(),
      state: "loading",
    });
  return daemons;
}
