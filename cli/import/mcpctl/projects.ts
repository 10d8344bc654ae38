/** mcpctl's projects, with the servers that are attached to them. */
import { objectOf } from '../draft.ts';
import type { Known } from './known.ts';
import { modelOf, type Model } from './models.ts';

type Item = Record<string, unknown>;

/** Which model a project asks is a resource of its own here, and the file says too little of it. */
const MODELS = ['llm', 'llmProvider', 'llmModel'];
const UNDERSTOOD = [
  'name',
  'description',
  'servers',
  'prompt',
  'instructions',
  'proxyModel',
  'gated',
  'serverOverrides',
  ...MODELS,
];

export function addProjects(items: readonly Item[], attachments: readonly Item[], known: Known): void {
  const { drafts } = known;
  const attached = new Map<unknown, string[]>();
  for (const { server, project } of attachments) {
    const isThere = items.some(({ name }) => name === project);
    if (!isThere)
      drafts.lose(`serverattachment ${String(server)}`, `was left out: there is no project ${String(project)}`);
    else attached.set(project, [...(attached.get(project) ?? []), String(server)]);
  }
  for (const item of items) {
    const wanted = String(item['name']);
    const { description } = item;
    const instructions = item['instructions'] ?? item['prompt'];
    const project = known.add('Project', wanted, {});
    const about = `Project/${project.metadata.name}`;
    const servers = serversOf([...namesIn(item['servers']), ...(attached.get(item['name']) ?? [])], about, known);
    const { gate, pipeline } = modelIn(item, about, known);
    const overrides = overridesOf(objectOf(item['serverOverrides']), about, servers, known);
    for (const field of MODELS)
      if (item[field] !== undefined)
        drafts.lose(about, `${field} was left out: make an LlmProvider, and name it in llm`);
    known.loseOthers(about, item, UNDERSTOOD);
    project.spec = {
      ...(typeof description === 'string' ? { description } : {}),
      ...(typeof instructions === 'string' && instructions.trim() !== '' ? { instructions } : {}),
      servers,
      ...(pipeline === undefined ? {} : { pipeline }),
      ...(Object.keys(overrides).length > 0 ? { overrides } : {}),
      ...(gate ? { gate } : {}),
    };
  }
}

/** `[github]`, or `[{ name: github }]`. */
const namesIn = (servers: unknown): string[] =>
  (Array.isArray(servers) ? servers : []).map((one: unknown) => String(objectOf(one)['name'] ?? one));

function serversOf(wanted: readonly string[], about: string, known: Known): string[] {
  const names = [...new Set(wanted)].flatMap((server) => {
    const found = known.nameOf('Server', server);
    if (found === undefined) known.drafts.lose(about, `server ${server} was left out: the file has none of that name`);
    return found ?? [];
  });
  return [...new Set(names)];
}

/** `gated` is what mcpctl said before there were models: without a gate, pages are left. */
function modelIn({ proxyModel, gated }: Item, about: string, known: Known): Model {
  const named = proxyModel ?? (typeof gated === 'boolean' ? (gated ? 'default' : 'content-pipeline') : undefined);
  if (typeof named === 'string') return modelOf(named, about, known) ?? {};
  known.drafts.note(
    about,
    'names no proxyModel, for which mcpctl takes default: add gate and pipeline if you want them',
  );
  return {};
}

function overridesOf(given: Item, about: string, servers: readonly string[], known: Known): Item {
  const { drafts } = known;
  const overrides = Object.entries(given).flatMap(([wanted, raw]): [string, Item][] => {
    const server = known.nameOf('Server', wanted);
    const { proxyModel, ...others } = objectOf(raw);
    for (const field of Object.keys(others)) drafts.lose(about, `serverOverrides.${wanted}.${field} was left out`);
    if (proxyModel === undefined || proxyModel === null) return [];
    if (server === undefined || !servers.includes(server)) {
      drafts.lose(about, `serverOverrides.${wanted} was left out: the project has no such server`);
      return [];
    }
    const model = modelOf(proxyModel, `${about}, for ${wanted},`, known);
    if (model?.gate) drafts.note(about, `${wanted}: a gate is the project’s, not one server’s`);
    // A model without stages leaves results as they are, whatever the project's does.
    return model ? [[server, { pipeline: model.pipeline ?? 'none' }]] : [];
  });
  return Object.fromEntries(overrides);
}
