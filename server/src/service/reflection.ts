import {
  type handleBidiStreamingCall,
  type MethodDefinition,
  type Server,
  status,
} from "@grpc/grpc-js";
import { encodingItself } from "./bounds/call-gate.ts";
import { type ReflectionVersion, reflectionPath, serviceName } from "./reflection-names.ts";

/** How many streams there may be at once: each holds some requests, and one answer of up to 100 KB. */
const mostStreams = 32;
/** A stream that asks for nothing ends after so long. */
const mostIdleMs = 60_000;

/**
 * Adds server reflection, v1 and v1alpha, which lists `serviceNames` and itself.
 * (`@grpc/reflection` cannot serve files that import others.)
 */
export function addReflection(server: Server, serviceNames: readonly string[]): void {
  const versions: ReflectionVersion[] = ["v1", "v1alpha"];
  const listed = [...serviceNames, ...versions.map(serviceName)];

  let streams = 0;
  const answering =
    (version: ReflectionVersion): handleBidiStreamingCall<Buffer, Buffer> =>
    (call) => {
      if (streams === mostStreams) {
        const details = `there are ${mostStreams} streams of reflection already`;
        call.emit("error", { code: status.RESOURCE_EXHAUSTED, details });
        return;
      }
      streams += 1;
      call.once("cancelled", () => {
        streams -= 1;
      });
      const end = () => call.end();
      let idle = setTimeout(end, mostIdleMs).unref();
      const answer = async (request: Buffer) => {
        try {
          // The descriptors take longer to read than a daemon without them to start.
          const { reflectionAnswer } = await import("./reflection-answers.ts");
          call.write(reflectionAnswer(version, request, listed), () => {
            idle = setTimeout(end, mostIdleMs).unref();
            call.resume();
          });
        } catch {
          const details = "this is no request of server reflection";
          call.emit("error", { code: status.INVALID_ARGUMENT, details });
        }
      };
      let answering = Promise.resolve();
      call.on("data", (request: Buffer) => {
        clearTimeout(idle);
        // One request at a time: the next is read when this answer has left.
        call.pause();
        answering = answer(request);
      });
      call.on("end", () => answering.then(end));
    };
  for (const version of versions)
    server.addService(encodingItself({ serverReflectionInfo: serialised(version) }), {
      serverReflectionInfo: answering(version),
    });
}

/** The method, which is handed requests as they come, and answers as they leave. */
function serialised(version: ReflectionVersion): MethodDefinition<Buffer, Buffer> {
  const asItIs = (bytes: Buffer) => bytes;
  return {
    path: reflectionPath(version),
    requestStream: true,
    responseStream: true,
    requestSerialize: asItIs,
    requestDeserialize: asItIs,
    responseSerialize: asItIs,
    responseDeserialize: asItIs,
  };
}
