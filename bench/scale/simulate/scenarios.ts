import { median } from "../../report/statistics.ts";
import type { Figures, StoreKind } from "../figures.ts";
import { demandOf } from "./demand.ts";
import type { Fleet, LoadDemand, NodeModel, StoreModel } from "./model.ts";

/** Bytes a second of content on a link of one gigabit a second: 6 % are headers. */
const gigabit = (1e9 / 8) * 0.94;

/** Assumed: a node with eight accelerators, and the part of it that is free while its pods start. */
export const node: NodeModel = { bandwidth: 25 * gigabit, cores: 16, diskBandwidth: 2e9 };

/** The Python client's default deadline; all pods start at the same moment. */
export const fleet: Omit<Fleet, "pods" | "isShared"> = {
  podsPerNode: 8,
  spreadS: 0,
  loadDeadlineS: 60,
};

export const podCounts = [10, 100, 1_000, 10_000];

/** A store to simulate. */
export interface Scenario {
  readonly name: string;
  readonly kind: StoreKind;
  readonly store: StoreModel;
  readonly demand: LoadDemand;
}

/** The daemon's deadlines: for a call on a mount, and for a read of an object that sends nothing. */
const fileCallS = 30;
const silenceS = 15;

/** Documented by AWS: the rates for each prefix, and what to expect of one request. */
export const awsGetsPerS = 5_500;
export const awsPutsPerS = 3_500;
const awsRequestBandwidth = 90e6;
const awsLatencyS = 0.1;

/** The stores, what is assumed of them, and what was measured of a load from each. */
export function scenariosOf(figures: Figures): Scenario[] {
  const nfs = (linkGigabits: number, operationsPerS: number): Omit<Scenario, "name"> => ({
    kind: "file",
    demand: demandOf(figures, "file"),
    store: {
      bandwidth: linkGigabits * gigabit,
      // A mount has one connection, and its reads share that.
      requestBandwidth: 10 * gigabit,
      latencyS: 0.0005,
      requestsPerS: operationsPerS,
      overload: "queue",
      callDeadlineS: fileCallS,
    },
  });
  const demand = demandOf(figures, "s3");
  return [
    { name: "NFS, one server, 10 Gb/s", ...nfs(10, 50_000) },
    { name: "NFS, 100 Gb/s", ...nfs(100, 500_000) },
    {
      name: "S3 on one server, 25 Gb/s",
      kind: "s3",
      demand,
      store: {
        bandwidth: 25 * gigabit,
        requestBandwidth: 10 * gigabit,
        latencyS: 0.005,
        requestsPerS: serverRequestsPerS(figures),
        overload: "queue",
        callDeadlineS: Number.POSITIVE_INFINITY,
      },
    },
    {
      name: "AWS S3, one prefix",
      kind: "s3",
      demand,
      store: {
        // AWS documents no limit; this one is never reached here.
        bandwidth: 10_000 * gigabit,
        requestBandwidth: awsRequestBandwidth,
        latencyS: awsLatencyS,
        requestsPerS: awsGetsPerS,
        overload: "refuse",
        callDeadlineS: silenceS,
      },
    },
  ];
}

/** Requests that a server with 16 cores answers, by the CPU that versitygw was seen to use. */
const serverCores = 16;
function serverRequestsPerS({ loads, calls }: Figures): number {
  const most = loads.s3.at(-1);
  if (!most) throw new Error("no load from the object store was measured");
  const cpuPerLoadS = median(most.serverCpuS) / most.daemons;
  return (serverCores * (calls.s3.load.calls.GetObject ?? 0)) / cpuPerLoadS;
}
