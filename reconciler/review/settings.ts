/** What the config says of reviews, for this room only: the gateway learns nothing of it. */
import type { ForgeName } from '../../schemas/kinds/fields/review.ts';
import type { SecretUse } from '../../schemas/upstream-auth.ts';

export interface ReviewSettings {
  readonly forge: ForgeName;
  readonly url?: string;
  readonly repository?: string;
  readonly token?: SecretUse;
  readonly webhook?: WebhookSettings;
}

export interface WebhookSettings {
  readonly secret: SecretUse;
  readonly path?: SecretUse;
  readonly maxBodyBytes: number;
  readonly windowMs: number;
}

/**
 * The last parts of where the config repo is: `git@github.com:acme/mcp.git` → `acme/mcp`.
 * @returns undefined for what is no address of a forge
 */
export function repositoryIn(url: string): string | undefined {
  const path =
    URL.canParse(url) && !url.startsWith('file:') ? new URL(url).pathname : /^[^/\s]+@[^/\s:]+:(.+)$/.exec(url)?.[1];
  const name = path?.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  return name !== undefined && /^[\w.-]+(\/[\w.-]+)+$/.test(name) ? name : undefined;
}
