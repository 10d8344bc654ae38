/** Who wrote what does not stand in a resource's own document. */
import type { Resource } from '../../schemas/resource.ts';

/** `spec.replicas comes from Overlay/prod (overlays/prod.yaml:9)`; of fields that several wrote, who wrote them last. */
export function originLines({ origins = [] }: Resource): string[] {
  const last = new Map(origins.map((origin) => [origin.path, origin]));
  return [...last.values()].map(({ path, from, file, line }) => `${path} comes from ${from} (${file}:${line})`);
}
