import type { Figures } from "../figures.ts";
import { type FleetResult, simulateLoads } from "./loads.ts";
import { fleet, node, type Scenario, scenariosOf } from "./scenarios.ts";

/** A fleet over a store, and the result of its simulation. */
export interface Cell {
  readonly scenario: Scenario;
  readonly isShared: boolean;
  readonly pods: number;
  readonly result: FleetResult;
}

/** The numbers of pods that are simulated: the chart shows all, the tables every second one. */
const gridPods = [10, 30, 100, 300, 1_000, 3_000, 10_000];

/** Simulates every store with every number of pods, with daemons of their own and shared ones. */
export function simulateGrid(figures: Figures): Cell[] {
  return scenariosOf(figures).flatMap((scenario) =>
    [false, true].flatMap((isShared) =>
      gridPods.map((pods) => ({ scenario, isShared, pods, result: run(scenario, isShared, pods) })),
    ),
  );
}

export function run(
  { store, demand }: Scenario,
  isShared: boolean,
  pods: number,
  spreadS = fleet.spreadS,
): FleetResult {
  return simulateLoads({ ...fleet, pods, isShared, spreadS }, demand, store, node);
}

/** The relative precision of a breaking point. */
const precision = 1.03;

/** About the fewest pods of which some fail, and their result; undefined if none fail in the grid. */
export function breakingPoint(cells: readonly Cell[]): Cell | undefined {
  let broken = cells.find(({ result }) => result.failedPods > 0);
  if (!broken) return undefined;
  let whole = Math.max(
    1,
    ...cells.filter(({ pods }) => pods < (broken as Cell).pods).map(({ pods }) => pods),
  );
  const { scenario, isShared } = broken;
  while (broken.pods > whole * precision) {
    const pods = Math.round(Math.sqrt(whole * broken.pods));
    const result = run(scenario, isShared, pods);
    if (result.failedPods === 0) whole = pods;
    else broken = { scenario, isShared, pods, result };
  }
  return broken;
}
