/** The list of kinds. A new kind is a file beside this one and a line here. */
import { backup } from './backup.ts';
import { budget } from './budget.ts';
import { engine } from './engine.ts';
import { gateway } from './gateway.ts';
import { group } from './group.ts';
import type { Kind } from './kind.ts';
import { llmProvider } from './llm-provider.ts';
import { overlay } from './overlay.ts';
import { pipeline } from './pipeline.ts';
import { plugin } from './plugin.ts';
import { policy } from './policy.ts';
import { project } from './project.ts';
import { prompt } from './prompt.ts';
import { role } from './role.ts';
import { roleBinding } from './role-binding.ts';
import { secret } from './secret.ts';
import { server } from './server.ts';
import { template } from './template.ts';
import { trust } from './trust.ts';
import { token } from './token.ts';
import { user } from './user.ts';
import { workspace } from './workspace.ts';

export const KINDS = {
  Gateway: gateway,
  Engine: engine,
  Server: server,
  Project: project,
  Pipeline: pipeline,
  Plugin: plugin,
  Policy: policy,
  Trust: trust,
  Budget: budget,
  Backup: backup,
  LlmProvider: llmProvider,
  Secret: secret,
  Token: token,
  User: user,
  Group: group,
  Role: role,
  RoleBinding: roleBinding,
  Overlay: overlay,
  Template: template,
  Workspace: workspace,
  Prompt: prompt,
} as const;

export type KindName = keyof typeof KINDS;

const byName: ReadonlyMap<string, Kind> = new Map(Object.entries(KINDS));

export function kindOf(kind: string): Kind | undefined {
  return byName.get(kind);
}

/** Finds a kind as people type it: `Server`, `servers`, `srv`. */
export function findKind(word: string): Kind | undefined {
  const wanted = word.toLowerCase();
  for (const kind of byName.values()) {
    if (kind.kind.toLowerCase() === wanted || kind.plural === wanted || kind.short.includes(wanted)) return kind;
  }
  return undefined;
}
