/** A route with a gate, in several forms, and the texts that it hands out. */
import type { Upstream } from '../../gateway/helpers/upstreams.ts';
import { principal, type Wish } from '../../gateway/helpers/gateway.ts';

export type Answer = { content: { text: string }[]; isError?: boolean };

export const GATE = { budgetBytes: 8192, ttlMs: 3_600_000 };
export const RELEASE = '# Releases\n\nCut them from main on Tuesdays.\n\n## Approval\n\nTwo people say yes.';
const HUGE = `# Deploying by hand\n\n${'x'.repeat(9_000)}`;

/** @param code the server behind it */
export const gated = (code: Upstream): Wish => {
  const route = (name: string, more: object) => ({
    [`/projects/${name}/mcp`]: { project: name, servers: ['code'], separator: '__', gate: GATE, ...more },
  });
  return {
    servers: { code: { endpoints: [code.endpoint], description: 'Code.' } },
    routes: {
      ...route('gated', { instructions: 'What the team uses.' }),
      ...route('lazy', { discovery: { mode: 'lazy' } }),
      ...route('search', { discovery: { mode: 'search' } }),
      ...route('short', { gate: { ...GATE, ttlMs: 50 } }),
      ...route('bare', {}),
    },
    principals: ['one', 'two', 'three'].map((name) => principal(name, name)),
    prompts: {
      'always-kind': { content: 'Be kind to each other.', priority: 10 },
      releases: { content: RELEASE, priority: 8 },
      'deploy-by-hand': { content: HUGE, priority: 7, projects: ['gated', 'lazy', 'search', 'short'] },
      holidays: { content: 'Ask Ada who is away. She knows.', priority: 3, projects: ['gated'] },
      elsewhere: { content: 'Not for here.', priority: 9, projects: ['other'] },
    },
  };
};

export const textOf = (answer: unknown): string => (answer as Answer).content.map(({ text }) => text).join('\n');
export const namesOf = ({ tools }: { tools: { name: string }[] }): string[] => tools.map(({ name }) => name);
