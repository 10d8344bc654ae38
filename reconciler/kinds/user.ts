import type { z } from 'zod';
import { canonicalEmail } from '../../schemas/email.ts';
import type { user as schema } from '../../schemas/kinds/user.ts';
import { addLimits } from '../limits.ts';
import type { KindBehaviour } from './kind.ts';

export const user: KindBehaviour<z.output<typeof schema.spec>> = {
  contribute({ metadata, spec: { email, subject, provider, limits } }, draft) {
    draft.users.push({
      name: metadata.name,
      ...(email === undefined ? {} : { email: canonicalEmail(email) }),
      ...(subject === undefined ? {} : { subject }),
      ...(provider === undefined ? {} : { provider }),
    });
    addLimits(draft, 'principals', `user:${metadata.name}`, limits);
  },
};
