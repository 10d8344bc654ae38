/** Whatever can sign as Standard Webhooks has it: a git server's own hook, a cron job, a CI. It says that something was pushed. */
import { z } from 'zod';
import { checkStandard, headerOf, STANDARD_SIGNATURE } from '../verify.ts';
import type { Forge } from './forge.ts';

const push = z.object({ ref: z.string(), repository: z.string().default('') });

export const generic: Forge = {
  url: '',
  signedBy: [STANDARD_SIGNATURE],
  verify(delivery) {
    checkStandard(delivery);
    return headerOf(delivery.headers, 'webhook-id');
  },
  read: (_headers, payload) => ({ type: 'push', ...push.parse(payload) }),
};
