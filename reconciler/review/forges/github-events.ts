/** Events as GitHub words them, which Gitea and Forgejo took over but for the names of some actions. */
import { z } from 'zod';
import type { HookEvent } from './forge.ts';

const repository = z.object({ full_name: z.string(), default_branch: z.string().optional() });
const push = z.object({ ref: z.string(), repository });
const pullRequest = z.object({
  action: z.string(),
  number: z.int().positive(),
  pull_request: z.object({ base: z.object({ ref: z.string() }), state: z.string() }),
  repository,
});

const named = ({ full_name, default_branch }: z.output<typeof repository>) => ({
  repository: full_name,
  ...(default_branch === undefined ? {} : { defaultBranch: default_branch }),
});

/** @throws z.ZodError */
export function readPush(payload: unknown): HookEvent {
  const { ref, repository: repo } = push.parse(payload);
  return { type: 'push', ref, ...named(repo) };
}

/** @param actions those that change what would be merged, or into what @throws z.ZodError */
export function readRequest(payload: unknown, actions: ReadonlySet<string>): HookEvent | undefined {
  const { action, number, pull_request: request, repository: repo } = pullRequest.parse(payload);
  if (!actions.has(action)) return undefined;
  return { type: 'request', number, isOpen: request.state === 'open', into: request.base.ref, ...named(repo) };
}
