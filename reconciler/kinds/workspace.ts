import type { z } from 'zod';
import { bytes, timerMs } from '../../schemas/kinds/fields.ts';
import type { workspace as schema } from '../../schemas/kinds/workspace.ts';
import { addressOf } from '../../schemas/resource.ts';
import type { WorkspaceSpec } from '../workspaces/spec.ts';
import { secretUse } from './fields/auth.ts';
import type { CompileContext, KindBehaviour } from './kind.ts';

type Spec = z.output<typeof schema.spec>;

export const workspace: KindBehaviour<Spec> = {
  workspaces(resource, context) {
    const { spec, metadata } = resource;
    const { schedule, timeZone, onWebhook, timeout } = spec.sync;
    return [
      {
        name: metadata.name,
        address: addressOf(resource),
        from: originOf(spec, context),
        schedule,
        ...(timeZone === undefined ? {} : { timeZone }),
        onWebhook,
        timeoutMs: timerMs(timeout),
        include: spec.include,
        exclude: spec.exclude,
        maxBytes: bytes(spec.maxSize),
        maxFileBytes: bytes(spec.maxFileSize),
      },
    ];
  },
};

function originOf({ git, path = '' }: Spec, context: CompileContext): WorkspaceSpec['from'] {
  if (!git) return { type: 'path', path };
  const { url, ref, credentials: name } = git;
  const username = name === undefined ? undefined : secretUse({ name, key: 'username' }, context);
  const password = name === undefined ? undefined : secretUse({ name, key: 'password' }, context);
  return {
    type: 'git',
    url,
    ...(ref === undefined ? {} : { ref }),
    ...(username && password ? { credentials: { username, password } } : {}),
  };
}
