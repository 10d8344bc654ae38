import type { z } from 'zod';
import type { group as schema } from '../../schemas/kinds/group.ts';
import type { KindBehaviour } from './kind.ts';

export const group: KindBehaviour<z.output<typeof schema.spec>> = {
  contribute({ metadata, spec: { members, claims, provider } }, draft) {
    const named = (kind: string): string[] => members.filter((one) => one.kind === kind).map(({ name }) => name);
    draft.groups.push({
      name: metadata.name,
      users: named('User'),
      tokens: named('Token'),
      claims,
      ...(provider === undefined ? {} : { provider }),
    });
  },
};
