/** What only a server that Slipway runs can have. */

export const RUNNING_FIELDS = [
  'http',
  'runtime',
  'engine',
  'pull',
  'isolation',
  'lifecycle',
  'probes',
  'resources',
] as const;
export const RUNNING_LISTS = ['files', 'env', 'secretFiles', 'dependsOn'] as const;

type Running = { [Field in (typeof RUNNING_FIELDS)[number]]?: unknown } & {
  [Field in (typeof RUNNING_LISTS)[number]]: unknown[];
} & { replicas: number };

/** Which of them a spec has. */
export function usedForRunning(spec: Running): string[] {
  const fields = RUNNING_FIELDS.filter((field) => spec[field] !== undefined);
  const lists = RUNNING_LISTS.filter((field) => spec[field].length > 0);
  return [...fields, ...lists, ...(spec.replicas > 1 ? ['replicas'] : [])];
}

/** JSON Schema for a probe over HTTP of a server that speaks stdio, without a port. */
export function httpProbeWithoutPort(probe: string) {
  const portless = { properties: { http: { not: { required: ['port'] } } }, required: ['http'] };
  return {
    properties: { probes: { properties: { [probe]: portless }, required: [probe] } },
    required: ['probes'],
    not: { properties: { transport: { enum: ['http', 'sse'] } }, required: ['transport'] },
  };
}
