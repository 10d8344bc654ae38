/** How Prompts do that are links, as far as somebody wanted them. Pure. */
import { prompt as promptKind } from '../schemas/kinds/prompt.ts';
import { addressOf } from '../schemas/resource.ts';
import type { PromptStatus, Status } from '../schemas/status.ts';
import type { Facts } from './status.ts';

export function promptStatuses({ compiled, links }: Pick<Facts, 'compiled' | 'links'>): Pick<Status, 'prompts'> {
  const prompts = compiled.resources.flatMap((resource): PromptStatus[] => {
    const { link } = resource.spec as { link?: string };
    const { name } = resource.metadata;
    if (resource.kind !== promptKind.kind || link === undefined) return [];
    const seen = links.get(name);
    const state = !seen ? 'unread' : seen.error === undefined ? 'ok' : 'failing';
    return [
      {
        name,
        address: addressOf(resource),
        link,
        state,
        ...(seen ? { readAt: new Date(seen.at).toISOString() } : {}),
        ...(seen?.error === undefined ? {} : { error: seen.error }),
      },
    ];
  });
  return prompts.length === 0 ? {} : { prompts };
}
