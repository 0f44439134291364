/** The versions of the service, which differ in their names alone. */
export type ReflectionVersion = "v1" | "v1alpha";

/** The service of a version. */
export function serviceName(version: ReflectionVersion): string {
  return `grpc.reflection.${version}.ServerReflection`;
}

/** Where the one method of a version is called. */
export function reflectionPath(version: ReflectionVersion): string {
  return `/${serviceName(version)}/ServerReflectionInfo`;
}
