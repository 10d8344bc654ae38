/** The marks that containers, networks and images carry. They are a contract: other tools may rely on them. */
import type { Workload } from '../../workload.ts';

export const LABEL = {
  managed: 'slipway.managed',
  owner: 'slipway.owner',
  /** Of the resource: `Server/github`. */
  address: 'slipway.address',
  server: 'slipway.server',
  project: 'slipway.project',
  hash: 'slipway.spec-hash',
  replica: 'slipway.replica',
  commit: 'slipway.commit',
  /** State directory of the owner: where it is gone, so is the owner. */
  home: 'slipway.home',
  /** On what is no instance: {@link ROLE}. */
  role: 'slipway.role',
  /** Of images for packages: which package, for people. */
  package: 'slipway.package',
  /** Of images for packages: a hash of all that they are made from but the base image's content. */
  recipe: 'slipway.recipe',
  /** Of what a build leaves beside its image. */
  build: 'slipway.build',
} as const;

export const ROLE = { egress: 'egress' } as const;

/** Who makes things on an engine. */
export interface Owner {
  /** Owner id of the state directory. */
  readonly id: string;
  /** Path of the state directory. */
  readonly home: string;
}

/** On everything that is made on an engine. */
export function ownLabels(owner: Owner): Record<string, string> {
  return { [LABEL.managed]: 'true', [LABEL.owner]: owner.id, [LABEL.home]: owner.home };
}

export function instanceLabels(owner: Owner, workload: Workload, index: number): Record<string, string> {
  return {
    ...ownLabels(owner),
    [LABEL.address]: workload.address,
    [LABEL.server]: workload.name,
    [LABEL.project]: workload.project,
    [LABEL.hash]: workload.hash,
    [LABEL.replica]: String(index),
    [LABEL.commit]: workload.commit,
  };
}

/** A filter for the engine's lists and events: only what is ours. */
export function ownFilter(owner: Owner): string[] {
  return [`${LABEL.managed}=true`, `${LABEL.owner}=${owner.id}`];
}
