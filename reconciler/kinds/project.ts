import type { z } from 'zod';
import type { project as schema } from '../../schemas/kinds/project.ts';
import type { KindBehaviour } from './kind.ts';

export const project: KindBehaviour<z.output<typeof schema.spec>> = {
  members: ({ spec }) => spec.servers,

  contribute({ metadata, spec }, draft) {
    draft.routes[`/projects/${metadata.name}/mcp`] = {
      project: metadata.name,
      servers: spec.servers,
      separator: spec.toolSeparator,
      ...(spec.description === undefined ? {} : { instructions: spec.description }),
    };
  },
};
