import type { z } from 'zod';
import { linkOf, type prompt as schema } from '../../schemas/kinds/prompt.ts';
import type { KindBehaviour } from './kind.ts';

export const prompt: KindBehaviour<z.output<typeof schema.spec>> = {
  contribute({ metadata, spec, files = {} }, draft) {
    const { content, file, link, priority, summary, chapters } = spec;
    const text = content ?? (file === undefined ? undefined : files[file]?.['text']);
    const own = metadata.project === undefined ? [] : [metadata.project];
    const projects = spec.projects.length > 0 ? spec.projects : own;
    draft.prompts[metadata.name] = {
      priority,
      ...(text === undefined ? {} : { content: text }),
      ...(link === undefined ? {} : { link: linkOf(link) }),
      ...(summary === undefined ? {} : { summary }),
      ...(chapters === undefined ? {} : { chapters }),
      ...(projects.length === 0 ? {} : { projects }),
    };
  },
};
