import { z } from 'zod';
import { name } from './fields.ts';
import { configFile } from './fields/given.ts';
import { isOwnText, OWN_PROMPTS, OWN_TEXTS, unknownVariables } from './fields/own-texts.ts';
import { suggest } from '../suggest.ts';
import type { Resource } from '../resource.ts';
import { defineKind, type All, type Problem } from './kind.ts';

/** Characters of a prompt: all of it may come before a model at once, and all of them are in memory. */
export const MAX_PROMPT = 65_536;

const SOURCES = ['content', 'file', 'link'] as const;

/** `dev/notes:note://standup` or `notes:note://standup` → project, server, URI. */
const LINK = /^(?:([a-z0-9][-a-z0-9]{0,62})\/)?([a-z0-9][-a-z0-9]{0,62}):(\S+)$/;

export interface PromptLink {
  /** Through which the resource is read; absent: straight from the server. */
  readonly project?: string;
  readonly server: string;
  readonly uri: string;
}

/** @param text that passed the kind's check */
export function linkOf(text: string): PromptLink {
  const [, project, server = '', uri = ''] = LINK.exec(text) ?? [];
  return { ...(project === undefined ? {} : { project }), server, uri };
}

const spec = z
  .strictObject({
    content: z
      .string()
      .regex(/\S/, 'must hold some text')
      .max(MAX_PROMPT)
      .optional()
      .describe(
        'The text itself. In one of Slipway’s own texts (slipway-gate, slipway-gate-begun, slipway-gate-skipped), {{project}}, {{tools}}, {{texts}} and {{byteBudget}} stand for what they say.',
      ),
    file: configFile.optional().describe('A file of the config repo that has the text, relative to the config path.'),
    link: z
      .string()
      .max(2048)
      .regex(LINK, 'must be <server>:<uri> or <project>/<server>:<uri>')
      .optional()
      .describe(
        'A resource of a server that is the text: <server>:<uri>, or <project>/<server>:<uri> to read it through a project. It is read when it is wanted, and only for who may use that server.',
      ),
    priority: z
      .int()
      .min(1)
      .max(10)
      .default(5)
      .describe('How much it matters. 10: everybody gets it, whatever the task and the budget.'),
    projects: z
      .array(name)
      .max(256)
      .default([])
      .describe('Projects that it is for. Default: that of the metadata, else all, and /mcp.'),
    summary: z
      .string()
      .regex(/^[^\r\n]{1,500}$/, 'must be one line of at most 500 characters')
      .optional()
      .describe(
        'What it is about. Default: by the fast model if the route has one, else its first heading or sentence.',
      ),
    chapters: z
      .array(z.string().min(1).max(200))
      .max(64)
      .optional()
      .describe('What it has to say on. Default: by the fast model if the route has one, else its Markdown headings.'),
  })
  .check((check) => {
    if (SOURCES.filter((source) => check.value[source] !== undefined).length === 1) return;
    const message = `must have exactly one of ${SOURCES.join(', ')}`;
    check.issues.push({ code: 'custom', input: check.value, path: [], message, params: { conflict: true } });
  })
  .meta({ oneOf: SOURCES.map((source) => ({ required: [source] })) });

export const prompt = defineKind({
  kind: 'Prompt',
  plural: 'prompts',
  short: [],
  description: 'A text for models: served as an MCP prompt, and handed out where a gate asks what a session is about.',
  spec,
  references: ({ projects, link }) => [
    ...projects.map((target, index) => ({ path: ['projects', index], kind: 'Project', name: target })),
    ...linked(link),
  ],
  files: ({ file }) => (file === undefined ? [] : [{ path: ['file'], file, content: 'prompt' }]),
  together: (prompts, all) => prompts.flatMap((resource) => [...misnamed(resource), ...misled(resource, all)]),
  example: `apiVersion: slipway/v1
kind: Prompt
metadata: { name: release-rules }
spec:
  priority: 8
  summary: How a release is cut, and who says yes.
  chapters: [Branches, Versions, Approval]
  content: |
    # Releases
    Cut them from main on Tuesdays. Two people say yes.
`,
});

function linked(link: string | undefined) {
  if (link === undefined) return [];
  const { project, server } = linkOf(link);
  return [
    ...(project === undefined ? [] : [{ path: ['link'], kind: 'Project', name: project }]),
    { path: ['link'], kind: 'Server', name: server },
  ];
}

type Own = Resource<z.output<typeof spec>>;

/** What names say that are Slipway's own. */
function misnamed(resource: Own): Problem[] {
  const { name: own } = resource.metadata;
  if (!own.startsWith(OWN_PROMPTS)) return [];
  if (!isOwnText(own)) {
    const known = Object.keys(OWN_TEXTS);
    const texts = Object.entries(OWN_TEXTS).map(([text, where]) => `${text} (${where})`);
    const message = `Names that begin with ${OWN_PROMPTS} are those of built-in texts; there is: ${texts.join(', ')}.`;
    const nearest = suggest(own, known);
    const hint = nearest === undefined ? {} : { hint: `Did you mean ${nearest}?` };
    return [{ resource, path: [], code: 'reserved-name', message, ...hint }];
  }
  const { content, file, link } = resource.spec;
  if (link !== undefined)
    return [{ resource, path: ['link'], code: 'conflicting-fields', message: 'A built-in text cannot be a link.' }];
  const text = content ?? resource.files?.[file ?? '']?.['text'] ?? '';
  const path = [content === undefined ? 'file' : 'content'];
  return unknownVariables(text).map((problem) => ({ resource, path, code: 'invalid-value', ...problem }));
}

function misled(resource: Own, all: All): Problem[] {
  const { link } = resource.spec;
  const { project, server } = link === undefined ? {} : linkOf(link);
  const through = all('Project').find(({ metadata }) => metadata.name === project);
  const members = (through?.spec as { servers?: readonly string[] } | undefined)?.servers;
  if (server === undefined || !members || members.includes(server)) return [];
  const message = `Project ${project} has no server ${server}.`;
  return [{ resource, path: ['link'], code: 'dangling-reference', message }];
}
