import type { z } from 'zod';
import type { project as schema } from '../../schemas/kinds/project.ts';
import { serversOf } from '../../schemas/kinds/fields/server-selector.ts';
import type { Route } from '../../schemas/snapshot.ts';
import { withCodeMode } from './fields/code-mode.ts';
import { withDiscovery } from './fields/discovery.ts';
import { withLlm } from './fields/llm.ts';
import { withGate } from './fields/gate.ts';
import { permissionsOf } from './fields/permissions.ts';
import type { KindBehaviour } from './kind.ts';
import { addLimits } from '../limits.ts';

export const project: KindBehaviour<z.output<typeof schema.spec>> = {
  members: ({ spec }, { all }) => serversOf(spec, all('Server')),

  contribute(resource, draft, { all }) {
    const { metadata, spec } = resource;
    const permissions = permissionsOf(resource, spec.permissions);
    if (permissions) draft.access.projects[metadata.name] = permissions;
    const servers = [...serversOf(spec, all('Server'))];
    draft.access.members[metadata.name] = servers;
    draft.routes[`/projects/${metadata.name}/mcp`] = {
      project: metadata.name,
      servers,
      separator: spec.toolSeparator,
      ...(Object.keys(spec.overrides).length === 0 ? {} : { overrides: spec.overrides as Route['overrides'] }),
      ...withDiscovery(spec),
      ...withCodeMode(spec.codeMode),
      ...withLlm(spec.llm),
      ...withGate(spec),
      ...instructionsOf(spec),
      ...(spec.pipeline === undefined ? {} : { pipeline: spec.pipeline }),
      ...(spec.plugin === undefined ? {} : { plugin: spec.plugin }),
      ...(spec.redact ? { redact: true } : {}),
    };
    addLimits(draft, 'projects', metadata.name, spec.limits);
  },
};

function instructionsOf({
  instructions,
  description,
}: Pick<z.output<typeof schema.spec>, 'instructions' | 'description'>): Pick<Route, 'instructions'> {
  const said = instructions ?? description;
  return said === undefined ? {} : { instructions: said };
}
