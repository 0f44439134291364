import { type Command, InvalidArgumentError } from "commander";

/** The values of the options that name an environment. */
export interface EnvironmentOptions {
  key?: string;
  environmentFile?: string;
  python?: string;
  torch?: string;
  cuda?: string;
  cc?: string;
  triton?: string;
  label?: Readonly<Record<string, string>>;
}

/** For the help of a command with these options. */
export const environmentHelp = `
Without --key, --environment-file or --torch the environment is that of the
Python on the PATH, as compilecache env prints it; compilecache help environment
tells more.`;

/** Adds the options that name an environment. */
export function addEnvironmentOptions(command: Command): Command {
  return command
    .optionsGroup("Options that name the environment:")
    .option("--key <key>", "its environment key, or the cache key of a stored cache")
    .option("--environment-file <path>", "what compilecache env --json printed; - is stdin")
    .option("--torch <version>", "version of torch, for example 2.11.0")
    .option("--cuda <version>", "version of CUDA; left out, or none, for a CPU build")
    .option("--cc <capability>", "compute capability of the GPU, for example 9.0")
    .option("--triton <version>", "version of Triton")
    .option("--label <name=value>", "a further label, for example py=3.12; repeatable", addLabel)
    .option(
      "--python <path>",
      "the Python that has torch, which is asked (default: COMPILE_CACHE_PYTHON, else that on the PATH)",
    )
    .optionsGroup("Options:");
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
