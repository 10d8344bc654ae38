/** What each kind turns into. A kind of `schemas/kinds` without a line here does not compile. */
import type { z } from 'zod';
import type { KindName, KINDS } from '../../schemas/kinds/index.ts';
import { backup } from './backup.ts';
import { budget } from './budget.ts';
import { engine } from './engine.ts';
import { gateway } from './gateway.ts';
import { group } from './group.ts';
import type { KindBehaviour } from './kind.ts';
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
import { token } from './token.ts';
import { trust } from './trust.ts';
import { user } from './user.ts';
import { workspace } from './workspace.ts';

type Behaviours = { [Name in KindName]: KindBehaviour<z.output<(typeof KINDS)[Name]['spec']>> };

const behaviours: Behaviours = {
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
};

/** The behaviour of a kind that `schemas` has accepted. The cast is sound: specs were parsed by the same kind's schema. */
export function behaviourOf(kind: string): KindBehaviour<unknown> {
  return behaviours[kind as KindName] as KindBehaviour<unknown>;
}
