import { median } from "../../report/statistics.ts";
import { type Crowd, type Figures, lastEndS, type NarrowRun, storeKinds } from "../figures.ts";
import { aloneCost, demandOf } from "./demand.ts";
import { type FleetResult, simulateLoads } from "./loads.ts";
import { type Fleet, type NodeModel, type StoreModel, unbounded } from "./model.ts";

/** How often a run with refused requests is simulated, as the pauses before retries are random. */
const seeds = 40;

/** A prediction of the model, and the measured value. */
export interface Check {
  readonly what: string;
  readonly unit: string;
  readonly predicted: number;
  readonly measured: number;
  /** The share of this machine's cores that other processes took, which makes `measured` too long. */
  readonly othersShare: number;
  /** Whether this run is itself the input of the simulation. */
  readonly isFed: boolean;
}

const endless: StoreModel = {
  bandwidth: unbounded,
  requestBandwidth: unbounded,
  latencyS: 0,
  requestsPerS: unbounded,
  overload: "queue",
  callDeadlineS: Number.POSITIVE_INFINITY,
};
/** This machine is the one node of all daemons. */
const fleetOf = (pods: number): Fleet => ({
  pods,
  podsPerNode: pods,
  isShared: false,
  spreadS: 0,
  loadDeadlineS: unbounded,
});
const nodeOf = ({ machine }: Figures): NodeModel => ({
  bandwidth: unbounded,
  cores: machine.cores,
  diskBandwidth: unbounded,
});
const lastOf = ({ podsEndS }: FleetResult) => podsEndS.at(-1) ?? Number.NaN;
type Measured = Pick<Crowd, "endsS" | "othersCpuS">;
const othersShareOf = ({ machine }: Figures, run: Measured) =>
  median(run.othersCpuS) / (machine.cores * lastEndS(run));

/** Simulates the runs that were measured. */
export function checkModel(figures: Figures): Check[] {
  const crowds = storeKinds.flatMap((store) =>
    figures.loads[store].map((crowd, i) => ({
      what: `${countOf(crowd.daemons, "load")}, ${store === "s3" ? "object" : "file"} store: the last`,
      unit: "s",
      predicted: lastOf(
        simulateLoads(fleetOf(crowd.daemons), demandOf(figures, store), endless, nodeOf(figures)),
      ),
      measured: lastEndS(crowd),
      othersShare: othersShareOf(figures, crowd),
      isFed: i === 0,
    })),
  );
  return [
    ...crowds,
    ...figures.narrow.flatMap((run) => checkNarrow(figures, run)),
    ...checkSaves(figures),
  ];
}

function checkNarrow(figures: Figures, run: NarrowRun): Check[] {
  const { what, limit, daemons, failed, refused } = run;
  const store: StoreModel =
    what === "bandwidth"
      ? { ...endless, bandwidth: limit }
      : { ...endless, requestsPerS: limit, overload: "refuse" };
  const results = Array.from({ length: what === "bandwidth" ? 1 : seeds }, (_, seed) =>
    simulateLoads(fleetOf(daemons), demandOf(figures, "s3"), store, nodeOf(figures), seed),
  );
  const name = `${daemons} loads through ${what === "bandwidth" ? `${limit / 1e6} MB/s` : `${limit} requests/s`}`;
  const check = (
    of: string,
    unit: string,
    predicted: (of: FleetResult) => number,
    measured: number,
  ) => ({
    what: `${name}: ${of}`,
    unit,
    predicted: median(results.map(predicted)),
    measured,
    othersShare: othersShareOf(figures, run),
    isFed: false,
  });
  const checks = [check("the last", "s", lastOf, lastEndS(run))];
  if (what === "requests")
    checks.push(
      check("refused", "", ({ refused }) => refused, median(refused)),
      check("failed", "", ({ failedPods }) => failedPods, median(failed)),
    );
  return checks;
}

/** Savers on one machine share its cores, and nothing else is narrow. */
function checkSaves(figures: Figures): Check[] {
  const { machine, saves } = figures;
  return storeKinds.flatMap((kind) => {
    const ours = saves.filter(({ store, policy }) => store === kind && policy === "skip");
    const alone = ours.find(({ daemons }) => daemons === 1);
    const { cpuS, fixedS } = aloneCost(figures, alone);
    return ours.map((crowd) => ({
      what: `${countOf(crowd.daemons, "save")}, ${kind === "s3" ? "object" : "file"} store: the last`,
      unit: "s",
      predicted: fixedS + (crowd.daemons * cpuS) / machine.cores,
      measured: lastEndS(crowd),
      othersShare: othersShareOf(figures, crowd),
      isFed: crowd.daemons === 1,
    }));
  });
}

function countOf(daemons: number, what: string): string {
  return daemons === 1 ? `1 ${what}` : `${daemons} ${what}s at once`;
}
