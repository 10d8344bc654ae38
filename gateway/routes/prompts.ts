/** The config's Prompts of a project, for programs: what a gate knows of them, and what they say. */
import type { Caller } from '../exchange.ts';
import { entriesOf } from '../gate/deliver.ts';
import { passOf } from '../gate/passed.ts';
import { proposedBy } from '../prompts/prompts.ts';
import { OWN } from '../results/of-route.ts';
import { sendJson } from '../rpc/respond.ts';

/** `GET /projects/<p>/prompt-index`: a line for each. */
export async function servePromptIndex(caller: Caller): Promise<void> {
  const entries = await entriesOf(caller, caller.route.prompts?.all ?? []);
  const prompts = entries.map(({ prompt: { name, entry }, digest }) => ({
    name,
    priority: entry.priority,
    ...digest,
    ...(entry.link ? { link: entry.link } : {}),
  }));
  sendJson(caller.response, 200, { project: caller.route.project, prompts });
}

/**
 * `GET /projects/<p>/prompts/visible`: all that the caller's sessions can get, its own proposals too. Links are named, not read. Data leak:
 * what a pipeline takes out of texts would be in them here, so those are had by `prompts/get` alone.
 */
export function serveVisiblePrompts(caller: Caller): void {
  const { state, route, response } = caller;
  const isGuarded = route.pipelines?.get(OWN)?.stages.some(({ type }) => type === 'redact') === true;
  const proposed = proposedBy(state.prompts.passed.proposed(passOf(caller, undefined)), route.prompts);
  const prompts = [...(route.prompts?.all ?? []), ...proposed].map(({ name, entry, isProposed }) => ({
    name,
    priority: entry.priority,
    ...(isProposed ? { proposed: true } : {}),
    ...(entry.link ? { link: entry.link } : isGuarded ? { withheld: true } : { content: entry.content }),
  }));
  sendJson(response, 200, { project: route.project, prompts });
}
