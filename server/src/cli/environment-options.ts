import { type Command, InvalidArgumentError } from "commander";
import type { Environment } from "compilecache-client";
import { environmentKey } from "../domain/environment.ts";

/** The values of the options that name an environment. */
export interface EnvironmentOptions {
  torch: string;
  cuda?: string;
  cc?: string;
  triton?: string;
  label?: Readonly<Record<string, string>>;
}

const torchFlag = "--torch <version>";
const torchHelp = "version of torch, for example 2.11.0";

/** Adds the options that name an environment, which must be given. */
export function requireEnvironment(command: Command): Command {
  return addComponents(command.requiredOption(torchFlag, torchHelp));
}

/** Adds the options that name an environment, which may be left out. */
export function allowEnvironment(command: Command): Command {
  return addComponents(command.option(torchFlag, torchHelp));
}

function addComponents(command: Command): Command {
  return command
    .option("--cuda <version>", "version of CUDA; none means a CPU build")
    .option("--cc <capability>", "compute capability of the GPU, for example 9.0")
    .option("--triton <version>", "version of Triton")
    .option("--label <name=value>", "a further label, for example py=3.12; repeatable", addLabel);
}

function addLabel(
  text: string,
  labels: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("It must be name=value.");
  const name = text.slice(0, at);
  if (name in labels) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...labels, [name]: text.slice(at + 1) };
}

/** The environment that the options name. */
export function environmentOf(options: EnvironmentOptions): Environment {
  return {
    torchVersion: options.torch,
    ...(options.cuda !== undefined && { cudaVersion: options.cuda }),
    ...(options.cc !== undefined && { computeCapability: options.cc }),
    ...(options.triton !== undefined && { tritonVersion: options.triton }),
    ...(options.label && { extra: options.label }),
  };
}

/** The key of an environment that the daemon has accepted; throws for another. */
export function environmentText(environment: Environment): string {
  return environmentKey({
    cudaVersion: "",
    computeCapability: "",
    tritonVersion: "",
    extra: {},
    ...environment,
  });
}
