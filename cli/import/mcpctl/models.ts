/** mcpctl's proxy models: their stages become a Pipeline, their gate that of the projects that use them. */
import { KINDS } from '../../../schemas/kinds/index.ts';
import { objectOf, textsOf } from '../draft.ts';
import type { Known } from './known.ts';

type Item = Record<string, unknown>;

/** What a project gets by naming a model. */
export interface Model {
  /** Name of the Pipeline. */
  readonly pipeline?: string;
  readonly gate?: Item;
}

const UNDERSTOOD = ['name', 'description', 'controller', 'controllerConfig', 'stages', 'appliesTo', 'cacheable'];

/** Fields of each stage's config that mean the same here. */
const STAGES: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['passthrough', []],
  ['paginate', ['pageSize']],
  ['section-split', ['minSize', 'maxSize']],
  ['summarize-tree', ['maxTokens']],
]);

/** What mcpctl brings along: `default` is both of the others. Its pages have 8000 characters, its gate gives 8 KiB. */
const BUILT_IN: ReadonlyMap<unknown, { readonly gate?: true; readonly pages?: true }> = new Map([
  ['default', { gate: true, pages: true }],
  ['gate', { gate: true }],
  ['content-pipeline', { pages: true }],
]);
const PAGES = 'content-pipeline';

export function addModels(items: readonly Item[], known: Known): void {
  for (const { spec, ...rest } of items) {
    const item = { ...rest, ...objectOf(spec) };
    const name = String(item['name']);
    const about = `proxymodel ${name}`;
    // Named, as it is in a list of all; what has stages is somebody's own in its place.
    if (BUILT_IN.has(name) && item['stages'] === undefined) continue;
    const gate = gateOf(item, about, known);
    const stages = stagesOf(item, about, known);
    // Half of it could let through what the other half was to take out.
    if (!stages || gate === 'unknown') {
      known.models.set(name, undefined);
      continue;
    }
    known.loseOthers(about, item, UNDERSTOOD);
    const model = gate ? { gate } : {};
    if (stages.length === 0) known.models.set(name, model);
    else {
      const { description, appliesTo } = item;
      const pipeline = {
        ...(typeof description === 'string' ? { description } : {}),
        ...(Array.isArray(appliesTo) ? { appliesTo: textsOf(appliesTo) } : {}),
        stages,
      };
      // Projects name it, so it must be known now whether it will do.
      const { success, error } = KINDS.Pipeline.spec.safeParse(pipeline);
      if (!success)
        known.drafts.lose(about, `was left out: ${error.issues[0]?.path.join('.')}: ${error.issues[0]?.message}`);
      const made = success ? known.add('Pipeline', name, pipeline) : undefined;
      known.models.set(name, made && { ...model, pipeline: made.metadata.name });
    }
  }
}

/** @returns `undefined` for one that could not be carried over, which is told. @param about who names it */
export function modelOf(name: unknown, about: string, known: Known): Model | undefined {
  const { drafts, models } = known;
  if (models.has(String(name))) {
    const model = models.get(String(name));
    if (!model) drafts.lose(about, `proxyModel ${String(name)} was left out, because that could not be carried over`);
    return model;
  }
  const own = BUILT_IN.get(name);
  if (!own) drafts.lose(about, `proxyModel ${String(name)} was left out: the file has none of that name`);
  if (!own) return undefined;
  return { ...(own.gate ? { gate: {} } : {}), ...(own.pages ? { pipeline: pages(known) } : {}) };
}

/** Made when the first asks for it. */
function pages(known: Known): string {
  const found = known.nameOf('Pipeline', PAGES);
  if (found !== undefined) return found;
  const stages = [{ type: 'paginate', pageSize: 8000 }];
  const made = known.add('Pipeline', PAGES, { appliesTo: ['prompt', 'toolResult'], stages });
  known.drafts.note(`Pipeline/${made.metadata.name}`, 'is what mcpctl does by itself: pages of 8000 characters');
  return made.metadata.name;
}

function gateOf(
  { controller, controllerConfig }: Item,
  about: string,
  { drafts }: Known,
): Item | 'unknown' | undefined {
  if (controller === undefined || controller === 'none') return undefined;
  if (controller !== 'gate') {
    drafts.lose(about, `was left out: there is no controller ${String(controller)}`);
    return 'unknown';
  }
  const { byteBudget, ...others } = objectOf(controllerConfig);
  for (const field of Object.keys(others)) drafts.lose(about, `controllerConfig.${field} was left out`);
  return typeof byteBudget === 'number' ? { budget: String(byteBudget) } : {};
}

function stagesOf({ stages }: Item, about: string, { drafts }: Known): Item[] | undefined {
  const all = Array.isArray(stages) ? stages.map(objectOf) : [];
  const strange = all.find(({ type }) => !STAGES.has(type));
  if (strange) {
    const hint = 'if it is code, put it into the config repo as a stage of type module, and allow it by a Policy';
    drafts.lose(about, `was left out: there is no stage ${String(strange['type'])}; ${hint}`);
    return undefined;
  }
  return all.map(({ type, config }) => {
    const known = STAGES.get(type) ?? [];
    const given = Object.entries(objectOf(config));
    for (const [field] of given)
      if (!known.includes(field)) drafts.lose(about, `${field} of ${String(type)} was left out: it means nothing here`);
    return { type, ...Object.fromEntries(given.filter(([field]) => known.includes(field))) };
  });
}
