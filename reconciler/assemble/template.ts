/** What Templates make of the resources that name them. Pure. */
import type { z } from 'zod';
import { ERRORS } from '../../schemas/errors.ts';
import type { IssueContext } from '../../schemas/issue-list.ts';
import { filled, type Value } from '../../schemas/kinds/fields/placeholders.ts';
import { kindOf, KINDS } from '../../schemas/kinds/index.ts';
import { misfit, type template as templateKind } from '../../schemas/kinds/template.ts';
import { recheck } from '../../schemas/parse.ts';
import { addressOf, formatPath, isWithin, type Issue, type Origin, type Resource } from '../../schemas/resource.ts';
import { suggest } from '../../schemas/suggest.ts';
import type { Assembled } from './assemble.ts';

type Spec = z.output<typeof templateKind.spec>;
type Template = Resource<Spec>;
type Values = Readonly<Record<string, Value>>;

const KIND = KINDS.Template.kind;

/** Each resource that names a Template, made of it. One whose Template is not there stays as it is: that is a dangling reference. */
export function expanded(resources: readonly Resource[]): Assembled {
  if (!resources.some(({ written }) => written !== undefined)) return { resources, issues: [] };
  const templates = new Map(
    resources.flatMap((one) => (one.kind === KIND ? [[one.metadata.name, one as Template] as const] : [])),
  );
  const issues: Issue[] = [];
  const result = resources.map((resource) => {
    const use = kindOf(resource.kind)?.templateOf?.(resource.spec);
    const template = use && templates.get(use.name);
    return template && resource.written !== undefined ? made(resource, template, use.params, issues) : resource;
  });
  return { resources: result, issues };
}

/** What a template says with these parameters. @returns what is wrong with them, by name, instead */
export function rendered(
  { params, server }: Spec,
  given: Values,
): { readonly spec: Values } | { readonly wrong: readonly { readonly name: string; readonly message: string }[] } {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(params, name));
  const wrong = [
    ...unknown.map((name) => {
      const nearest = suggest(name, Object.keys(params));
      return { name, message: `has no parameter ${name}${nearest === undefined ? '' : `; did you mean ${nearest}?`}` };
    }),
    ...Object.entries(params).flatMap(([name, parameter]) => {
      if (!Object.hasOwn(given, name))
        return parameter.required ? [{ name, message: `needs the parameter ${name}` }] : [];
      const reason = misfit(parameter, given[name]);
      return reason === undefined ? [] : [{ name, message: `says that ${name} ${reason}` }];
    }),
  ];
  if (wrong.length > 0) return { wrong };
  const defaults = Object.entries(params).flatMap(([name, one]) =>
    one.default === undefined ? [] : [[name, one.default]],
  );
  const values = { ...(Object.fromEntries(defaults) as Values), ...given };
  return { spec: (filled(server as Value, values) ?? {}) as Values };
}

function made(resource: Resource, template: Template, params: Values, issues: Issue[]): Resource {
  const { file, line } = template.source;
  const from = `${addressOf(template)} at ${file}:${line}`;
  const result = rendered(template.spec, params);
  if ('wrong' in result) {
    issues.push(
      ...result.wrong.map(({ name, message }): Issue => ({
        ...resource.source,
        line: resource.lines?.[`template.params.${name}`] ?? resource.lines?.['template'] ?? resource.source.line,
        path: formatPath(['spec', 'template', 'params', name]),
        code: 'template-params',
        message: `${from} ${message}.`,
        hint: ERRORS['template-params'].hint,
      })),
    );
    return resource;
  }
  const { template: _, ...own } = resource.written as Values;
  const origins = originsOf(result.spec, own, template);
  const found: Issue[] = [];
  const kind = kindOf(resource.kind);
  const context: IssueContext = { file: resource.source.file, issues: found, place: () => resource.source };
  const value = { metadata: resource.metadata, spec: merged(result.spec, own) };
  const checked = kind && recheck(context, kind, value);
  // What the resource says itself was checked where it stands: the rest is the template's.
  issues.push(
    ...found.map((issue) => {
      const origin = origins.findLast(({ path }) => isWithin(issue.path, path));
      const at = `${resource.source.file}:${resource.source.line}`;
      const message = `${issue.message.replace(/\.$/, '')}, in what ${addressOf(resource)} at ${at} makes of ${from}.`;
      const place = origin ? { file: origin.file, line: origin.line, column: 1 } : {};
      return { ...issue, ...place, message };
    }),
  );
  if (!checked) return resource;
  const { written: __, ...rest } = resource;
  return { ...rest, ...checked, madeFrom: template.metadata.name, origins };
}

/** What the resource says itself goes before the template: maps field by field, lists of named items by name, all else as a whole. */
function merged(base: Value, own: Value): Value {
  if (isMap(base) && isMap(own)) {
    const keys = new Set([...Object.keys(base), ...Object.keys(own)]);
    return Object.fromEntries(
      [...keys].map((key) => {
        const [below, above] = [field(base, key), field(own, key)];
        return [key, above === undefined ? (below as Value) : below === undefined ? above : merged(below, above)];
      }),
    );
  }
  if (!isNamedList(base) || !isNamedList(own)) return own;
  const mine = new Map(own.map((item) => [item['name'], item]));
  const theirs = new Set(base.map((item) => item['name']));
  return [...base.map((item) => mine.get(item['name']) ?? item), ...own.filter((item) => !theirs.has(item['name']))];
}

function originsOf(spec: Values, own: Values, template: Template): Origin[] {
  const { file, line } = template.source;
  return Object.keys(spec).flatMap((key) =>
    Object.hasOwn(own, key)
      ? []
      : [
          {
            path: formatPath(['spec', key]),
            from: addressOf(template),
            file,
            line: template.lines?.[formatPath(['server', key])] ?? line,
          },
        ],
  );
}

const isMap = (value: Value): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNamedList = (value: Value): value is readonly Values[] =>
  Array.isArray(value) && value.every((item) => isMap(item) && typeof item['name'] === 'string');
const field = (map: Values, key: string): Value | undefined => (Object.hasOwn(map, key) ? map[key] : undefined);
