import {
  CacheServiceService,
  ListCachesRequest,
  LoadRequest,
  SaveRequest,
  StartTransferRequest,
  WatchTransferRequest,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { reflectionMethod } from "../../../server/src/service/reflection-answers.ts";
import {
  callHeaders,
  flag,
  frame,
  frameType,
  headerBlock,
  message,
  preface,
  settings,
} from "./http2-frames.ts";

/** A generator of numbers from 0 up to, and without, its argument; the same for the same seed. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** All that a connection sends for one call whose message or frames are not as they should be. */
export function mutatedRequest(random: (below: number) => number): Buffer {
  const [path, body] = pick(samples, random);
  const bytes = random(2) === 0 ? mutated(body, random) : body;
  const declared = random(4) === 0 ? { length: random(2 ** 32) } : {};
  const data = message(bytes, { ...declared, compressed: random(8) === 0 });
  const headers = callHeaders(random(10) === 0 ? `${path}x` : path);
  if (random(6) === 0) headers.push(pick(oddHeaders, random));
  const frames = [
    settings(),
    frame(frameType.headers, flag.endHeaders, 1, headerBlock(headers)),
    frame(frameType.data, random(8) === 0 ? 0 : flag.endStream, 1, data),
  ];
  const odd = () => frame(random(12), random(256), random(4), someBytes(random(40), random));
  while (random(3) === 0) frames.splice(random(frames.length + 1), 0, odd());
  const all = Buffer.concat([preface, ...frames]);
  return random(2) === 0 ? all : mutated(all, random);
}

const environment = {
  torchVersion: "2.1.0",
  cudaVersion: "12.1",
  computeCapability: "8.6",
  tritonVersion: "2.1.0",
  extra: { py: "3.11" },
};
const target = { namespace: "default", environment, localDir: "/nowhere" };

const samples: readonly (readonly [path: string, body: Uint8Array])[] = [
  [CacheServiceService.load.path, LoadRequest.encode(LoadRequest.fromPartial(target)).finish()],
  [CacheServiceService.save.path, SaveRequest.encode(SaveRequest.fromPartial(target)).finish()],
  [
    CacheServiceService.startTransfer.path,
    StartTransferRequest.encode(
      StartTransferRequest.fromPartial({ source: "/a", destination: "/b", operationName: "copy" }),
    ).finish(),
  ],
  [
    CacheServiceService.listCaches.path,
    ListCachesRequest.encode(ListCachesRequest.fromPartial({ environment, pageSize: 7 })).finish(),
  ],
  [
    CacheServiceService.watchTransfer.path,
    WatchTransferRequest.encode({ operationId: "0a1b" }).finish(),
  ],
  ["/grpc.health.v1.Health/Watch", Buffer.alloc(0)],
  [
    reflectionMethod("v1").path,
    reflectionMethod("v1").requestSerialize({
      host: "",
      messageRequest: { case: "fileContainingSymbol", value: "compilecache.v1.CacheService" },
    }),
  ],
];

const oddHeaders: readonly [string, string][] = [
  ["grpc-timeout", "99999999H"],
  ["grpc-timeout", "-1S"],
  ["grpc-timeout", "0n"],
  ["grpc-encoding", "gzip"],
  ["grpc-encoding", "none such"],
  ["authorization", "Bearer \u00e4"],
  ["authorization", ""],
  ["x-bin", "not base64!"],
  ["content-type", "text/html"],
  ["content-length", "7"],
  [":path", "/"],
  ["connection", "close"],
  ["A", "capital"],
  ["", "no name"],
];

function someBytes(count: number, random: (below: number) => number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => random(256)));
}

function pick<T>(from: readonly T[], random: (below: number) => number): T {
  return from[random(from.length)] as T;
}

/** The bytes with one to four changes: a bit, some bytes more or fewer, or a part twice. */
function mutated(bytes: Uint8Array, random: (below: number) => number): Buffer {
  let changed = Buffer.from(bytes);
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(changed.length + 1);
    const [before, after] = [changed.subarray(0, at), changed.subarray(at)];
    const more = someBytes(1 + random(8), random);
    const kind = random(4);
    if (kind === 0 && after.length > 0) after[0] = (after[0] as number) ^ (1 << random(8));
    else if (kind === 1) changed = Buffer.concat([before, more, after]);
    else if (kind === 2) changed = Buffer.concat([before, after.subarray(1 + random(8))]);
    else changed = Buffer.concat([before, after.subarray(0, 16), after]);
  }
  return changed;
}
