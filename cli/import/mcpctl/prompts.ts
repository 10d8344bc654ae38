/** mcpctl's prompts: for all projects, or for one; texts, or links to what a server has. */
import { OWN_PROMPTS, OWN_TEXTS } from '../../../schemas/kinds/fields/own-texts.ts';
import type { Known } from './known.ts';

type Item = Record<string, unknown>;

const UNDERSTOOD = ['name', 'content', 'project', 'priority', 'link', 'linkTarget', 'summary', 'chapters'];
/** Where mcpctl keeps what it says itself. */
const SYSTEM = 'mcpctl-system';
const LINK = /^(?:([^/:]+)\/)?([^/:]+):(\S+)$/;

export function addPrompts(items: readonly Item[], known: Known): void {
  const { drafts } = known;
  for (const item of items) {
    const { name, project, content, priority, summary, chapters } = item;
    const about = `prompt ${String(name)}`;
    if (project === SYSTEM) {
      drafts.lose(
        about,
        `was left out: mcpctl says it itself; what Slipway says is changed by Prompts named ${Object.keys(OWN_TEXTS).join(', ')}`,
      );
      continue;
    }
    const of = project === undefined || project === null ? undefined : known.nameOf('Project', project);
    // For one project alone: without it, it would be for all.
    if (project !== undefined && project !== null && of === undefined) {
      drafts.lose(about, `was left out: there is no project ${String(project)}`);
      continue;
    }
    if (of === undefined && typeof item['projectId'] === 'string') {
      drafts.lose(about, 'was left out: projectId tells nobody which project it is for; name it in project');
      continue;
    }
    const target = item['link'] ?? item['linkTarget'];
    const link = typeof target === 'string' && target !== '' ? linkOf(target, about, known) : undefined;
    if (link === null || (link === undefined && (typeof content !== 'string' || content.trim() === ''))) {
      if (link === undefined) drafts.lose(about, 'was left out: it has no text');
      continue;
    }
    if (link !== undefined && content) drafts.note(about, 'has a link, so its content was left out');
    known.loseOthers(about, item, UNDERSTOOD);
    // Those are Slipway's own texts.
    const wanted = String(name).startsWith(OWN_PROMPTS) ? `mcpctl-${String(name)}` : String(name);
    known.add('Prompt', wanted, {
      ...(link === undefined ? { content } : { link }),
      ...(typeof priority === 'number' ? { priority } : {}),
      ...(of === undefined ? {} : { projects: [of] }),
      ...(typeof summary === 'string' && summary.trim() !== ''
        ? { summary: summary.replaceAll(/\s+/g, ' ').trim() }
        : {}),
      ...(Array.isArray(chapters) ? { chapters } : {}),
    });
  }
}

/** `project/server:uri`. @returns `null` for one that leads nowhere, which is told */
function linkOf(target: string, about: string, known: Known): string | null {
  const lost = (why: string): null => {
    known.drafts.lose(about, `was left out: its link ${target} ${why}`);
    return null;
  };
  const [, project, server, uri] = LINK.exec(target) ?? [];
  if (server === undefined) return lost('is none: <project>/<server>:<uri>');
  const there = known.nameOf('Server', server);
  if (there === undefined) return lost(`names ${server}, which the file has not`);
  if (project === undefined) return `${there}:${uri}`;
  const through = known.find('Project', project);
  if (!through) return lost(`names ${project}, which the file has not`);
  const members = through.spec['servers'] as readonly string[];
  return members.includes(there)
    ? `${through.metadata.name}/${there}:${uri}`
    : lost(`leads through ${project}, which has no ${server}`);
}
