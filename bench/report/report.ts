import type { Series, SuiteResult, Target } from "../suite.ts";
import { type Metric, metrics } from "../suite.ts";
import { describeMachine, type Machine, originText } from "./machine.ts";
import { table } from "./markdown.ts";
import { summarize } from "./statistics.ts";

/** A suite's results and their origin, as in its JSON file. */
export interface Report extends SuiteResult {
  readonly suite: string;
  /** How to run it again. */
  readonly command: string;
  readonly rounds: number;
  /** When it ended, ISO 8601. */
  readonly at: string;
  readonly machine: Machine;
}

export function createReport(
  suite: string,
  command: string,
  rounds: number,
  result: SuiteResult,
): Report {
  return {
    suite,
    command,
    rounds,
    at: new Date().toISOString(),
    machine: describeMachine(),
    ...result,
  };
}

/** The report as Markdown. */
export function toMarkdown(report: Report): string {
  const { suite, command, rounds, at, machine, subject, series, targets, notes } = report;
  return [
    `### ${suite}`,
    `\`${command}\`: ${subject}. ${rounds === 1 ? "One round" : `Medians of ${rounds} rounds (least to most)`}.`,
    `${originText(at, machine)}.`,
    seriesTable(series),
    ...(targets.length > 0 ? [targetTable(targets)] : []),
    ...(notes.length > 0 ? [notes.map((note) => `- ${note}`).join("\n")] : []),
  ].join("\n\n");
}

function seriesTable(series: readonly Series[]): string {
  const shown = (Object.keys(metrics) as Metric[]).filter((metric) =>
    series.some(({ values }) => values[metric]),
  );
  const ratios = [...new Set(series.flatMap(({ ratios }) => Object.keys(ratios)))].filter((name) =>
    series.some(({ ratios }) => Number.isFinite(ratios[name])),
  );
  return table(
    ["", ...shown.map((metric) => metrics[metric].title), ...ratios],
    series.map(({ name, values, ratios: own }) => [
      name,
      ...shown.map((metric) => cell(values[metric], metrics[metric].digits)),
      ...ratios.map((ratio) => number(own[ratio], 2)),
    ]),
  );
}

function cell(values: readonly number[] | undefined, digits: number): string {
  if (!values) return "";
  const { median, min, max } = summarize(values);
  const [middle, least, most] = [median, min, max].map((value) => value.toFixed(digits));
  return least === most ? `${middle}` : `${middle} (${least}–${most})`;
}

function number(value: number | undefined, digits: number): string {
  return value === undefined || !Number.isFinite(value) ? "" : value.toFixed(digits);
}

function targetTable(targets: readonly Target[]): string {
  return table(
    ["target", "measured", "at least", "aim", ""],
    targets.map(({ what, measured, unit, atLeast, aim, better }) => {
      const reaches = (bar: number) => (better === "higher" ? measured >= bar : measured <= bar);
      const verdict = reaches(aim) ? "met, and the aim" : reaches(atLeast) ? "met" : "not met";
      return Number.isFinite(measured)
        ? [what, number(measured, 2) + unit, `${atLeast}${unit}`, `${aim}${unit}`, verdict]
        : [what, "", `${atLeast}${unit}`, `${aim}${unit}`, "not measured"];
    }),
  );
}
