import { median } from "./report/statistics.ts";
import type { Metric, Series, Values } from "./suite.ts";

/** Collects the values of all rounds, by name. */
export class Measurements {
  readonly #series = new Map<string, { [M in Metric]?: number[] }>();

  add(name: string, values: Values): void {
    const series = this.#series.get(name) ?? {};
    this.#series.set(name, series);
    for (const [metric, value] of Object.entries(values) as [Metric, number][])
      series[metric] = [...(series[metric] ?? []), value];
  }

  /** Median of a metric; NaN if it was not measured. */
  median(name: string, metric: Metric): number {
    return median(this.#series.get(name)?.[metric] ?? []);
  }

  /** The median of `name` divided by that of `base`; NaN if either was not measured. */
  ratio(name: string, base: string, metric: Metric = "wallS"): number {
    return this.median(name, metric) / this.median(base, metric);
  }

  /** All series, `first` ahead of the others; `ratiosOf` gives the ratios to show beside each. */
  toSeries(
    options: {
      first?: readonly string[];
      ratiosOf?: (name: string) => Record<string, number>;
    } = {},
  ): Series[] {
    const { first = [], ratiosOf = () => ({}) } = options;
    const names = new Set([...first, ...this.#series.keys()]);
    return [...names].flatMap((name) => {
      const values = this.#series.get(name);
      return values ? [{ name, values, ratios: ratiosOf(name) }] : [];
    });
  }
}
