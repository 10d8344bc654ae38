import { sopsValues, type SecretSpec } from '../../schemas/kinds/secret.ts';
import type { Sealed } from '../secrets/sealed.ts';
import { idOf } from './fields/sources.ts';
import type { KindBehaviour } from './kind.ts';

/** A Secret becomes nothing by itself: servers that refer to it carry the reference in their workloads. */
export const secret: KindBehaviour<SecretSpec> = {
  seals(resource, { file }) {
    const { encrypted = {}, sops } = resource.spec;
    const blob = sops && file(sops.file)?.id;
    const one = (key: string, id: string, lies: Sealed['in']): Sealed => ({
      secret: resource.metadata.name,
      key,
      id,
      in: lies,
    });
    return [
      ...Object.entries(encrypted).map(([key, { age, fingerprint }]) => one(key, fingerprint, { type: 'age', age })),
      ...(sops && blob !== undefined
        ? Object.entries(sopsValues(resource)).map(([key, value]) =>
            one(key, idOf(value), { type: 'sops', file: sops.file, blob }),
          )
        : []),
    ];
  },
};
