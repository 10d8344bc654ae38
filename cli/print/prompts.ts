/** Prompts, and how those stand that are links. */
import type { Resource } from '../../schemas/resource.ts';
import type { PromptStatus } from '../../schemas/status.ts';
import { age, type Table } from './table.ts';

const HEAD = ['name', 'priority', 'projects', 'text', 'read', 'age', 'error'];

interface Spec {
  readonly priority?: number;
  readonly projects?: readonly string[];
  readonly file?: string;
  readonly link?: string;
}

/** @param links how those stand that are links */
export function promptTable(found: readonly Resource[], links: readonly PromptStatus[] = []): Table {
  const byName = new Map(links.map((link) => [link.name, link]));
  return { head: HEAD, rows: found.map((resource) => promptRow(resource, byName.get(resource.metadata.name))) };
}

function promptRow({ metadata, spec }: Resource, state: PromptStatus | undefined): string[] {
  const { priority, projects = [], file, link } = spec as Spec;
  const whose = projects.length > 0 ? projects : metadata.project === undefined ? ['all'] : [metadata.project];
  return [
    metadata.name,
    String(priority ?? '-'),
    whose.join(','),
    link ?? file ?? 'in place',
    state?.state ?? '-',
    age(state?.readAt),
    state?.error ?? '-',
  ];
}

/** For `describe`. */
export function promptSection({ link, state, readAt, error }: PromptStatus): string {
  const when = readAt === undefined ? '' : `, ${age(readAt)} ago`;
  return [`${link}: ${state}${when}`, ...(error === undefined ? [] : [`error: ${error}`])].join('\n');
}
