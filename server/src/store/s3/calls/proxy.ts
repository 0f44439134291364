import type { Logger } from "../../../domain/logger.ts";

/** The proxies of an environment, as Node's agents take them. */
export interface ProxyVariables {
  HTTP_PROXY?: string;
  HTTPS_PROXY?: string;
  NO_PROXY?: string;
}

/**
 * The proxies that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name, in lower or upper case, as other programs
 * understand them: a proxy may lack its scheme, and NO_PROXY may name domains without a dot before them,
 * and networks as 10.0.0.0/8. Undefined where none is named. What is no HTTP proxy is passed over with a
 * warning that does not repeat it, for it may hold a password.
 */
export function readProxies(
  environment: NodeJS.ProcessEnv,
  logger: Logger,
): ProxyVariables | undefined {
  const variable = (name: string) =>
    (environment[name.toLowerCase()] || environment[name] || "").trim();
  const proxy = (name: "HTTP_PROXY" | "HTTPS_PROXY"): ProxyVariables => {
    const text = variable(name);
    if (text === "") return {};
    const url = /^[\w+.-]+:\/\//.test(text) ? text : `http://${text}`;
    if (/^https?:\/\//i.test(url) && URL.canParse(url)) return { [name]: url };
    logger.warn(`${name} is passed over: it is not the URL of an HTTP proxy, as http://host:port`);
    return {};
  };
  const proxies = { ...proxy("HTTP_PROXY"), ...proxy("HTTPS_PROXY") };
  if (Object.keys(proxies).length === 0) return undefined;
  const exempt = variable("NO_PROXY")
    .split(/[\s,]+/)
    .filter(Boolean)
    .flatMap(exemptions);
  return { ...proxies, NO_PROXY: exempt.join(",") };
}

/** An entry of NO_PROXY in the forms that Node knows: exact names, `.domain`, and ranges of addresses. */
function exemptions(entry: string): string[] {
  const network = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(entry);
  if (network) {
    const [a = 0, b = 0, c = 0, d = 0, bits = 32] = network.slice(1).map(Number);
    const size = 2 ** (32 - Math.min(bits, 32));
    const address = ((a * 256 + b) * 256 + c) * 256 + d;
    const first = address - (address % size);
    return [`${dotted(first)}-${dotted(first + size - 1)}`];
  }
  const isName = /^[a-z]/i.test(entry);
  return isName ? [entry, `.${entry}`] : [entry];
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
