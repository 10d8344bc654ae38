/** From `Gateway.spec.review` to what the reconciler must know: where secrets are, not what they are. Pure. */
import type { ReviewSpec } from '../../../schemas/kinds/fields/review.ts';
import { bytes, timerMs } from '../../../schemas/kinds/fields.ts';
import type { SecretUse } from '../../../schemas/upstream-auth.ts';
import type { ReviewSettings } from '../../review/settings.ts';
import type { CompileContext } from '../kind.ts';
import { secretUse } from './auth.ts';

type Ref = { readonly secretRef: { readonly name: string; readonly key: string } };

export function reviewSettings(spec: NonNullable<ReviewSpec>, context: CompileContext): ReviewSettings {
  const { forge, url, repository, token, webhook } = spec;
  const secret = ({ secretRef }: Ref): SecretUse => {
    const found = secretUse(secretRef, context);
    // References were checked when the commit was loaded.
    if (!found) throw new TypeError(`no Secret ${secretRef.name} with ${secretRef.key}`);
    return found;
  };
  return {
    forge,
    ...(url === undefined ? {} : { url: url.replace(/\/+$/, '') }),
    ...(repository === undefined ? {} : { repository }),
    ...(token ? { token: secret(token) } : {}),
    ...(webhook
      ? {
          webhook: {
            secret: secret(webhook.secret),
            ...(webhook.path ? { path: secret(webhook.path) } : {}),
            maxBodyBytes: bytes(webhook.maxBodySize),
            windowMs: timerMs(webhook.window),
          },
        }
      : {}),
  };
}
