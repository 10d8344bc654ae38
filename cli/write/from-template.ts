/** Servers that are copies of a template: each remembers what it was made of, so that a later version can be merged into it. */
import type { z } from 'zod';
import { rendered } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
import type { Parameter } from '../../schemas/kinds/template.ts';
import { fieldOf, isMap, toJson, type Json, type JsonMap } from '../document/json.ts';
import { sensitiveIn } from '../document/meaning.ts';
import { suggest } from '../../schemas/suggest.ts';
import type { Draft } from './draft.ts';

/** Annotation that holds, as JSON, which template a Server was copied from, with which parameters, and what it said then. */
export const MADE_OF = 'slipway/template';

export interface Made {
  readonly name: string;
  readonly params: JsonMap;
  readonly spec: Json;
}

type Spec = z.output<typeof KINDS.Template.spec>;

/** @throws SlipwayError not-found */
export function templateNamed(draft: Draft, name: string): Spec {
  const templates = draft.of('Template');
  const found = templates.find(({ metadata }) => metadata.name === name);
  if (found) return found.spec as Spec;
  const nearest = suggest(
    name,
    templates.map(({ metadata }) => metadata.name),
  );
  throw new SlipwayError('not-found', `There is no Template named ${name}.`, {
    hint: nearest === undefined ? 'See `slipway get templates --local`.' : `Did you mean ${nearest}?`,
  });
}

/** What the template says with these parameters. @throws SlipwayError template-params */
export function copyOf(name: string, template: Spec, params: JsonMap): Made {
  const result = rendered(template, params);
  if ('wrong' in result)
    throw new SlipwayError(
      'template-params',
      `Template/${name} ${result.wrong.map(({ message }) => message).join('; ')}.`,
    );
  const spec = toJson(result.spec);
  // The copy remembers it in an annotation, which plans show.
  if (sensitiveIn({ kind: KINDS.Server.kind, spec }).length > 0)
    throw new SlipwayError('template-params', `Template/${name} says in clear what sounds like a secret.`, {
      hint: 'Let it name a Secret in valueFrom; which one can be a parameter.',
    });
  return { name, params, spec };
}

/** What a document was copied from; `undefined` where it was not. */
export function madeOf(value: Json | undefined): Made | undefined {
  const metadata = isMap(value) ? value['metadata'] : undefined;
  const annotations = isMap(metadata) ? metadata['annotations'] : undefined;
  const text = isMap(annotations) ? fieldOf(annotations, MADE_OF) : undefined;
  if (typeof text !== 'string') return undefined;
  try {
    const made = JSON.parse(text) as Json;
    if (!isMap(made) || typeof made['name'] !== 'string' || !isMap(made['params'])) return undefined;
    return { name: made['name'], params: made['params'], spec: made['spec'] ?? {} };
  } catch {
    return undefined;
  }
}

/** `replicas=2` for each; a parameter that is a list may be given several times. @throws SlipwayError usage */
export function paramsFrom(name: string, { params }: Spec, given: readonly string[]): JsonMap {
  const result = new Map<string, Json>();
  for (const text of given) {
    const at = text.indexOf('=');
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    const parameter = Object.hasOwn(params, key) ? params[key] : undefined;
    if (at < 1 || !parameter) {
      const there = Object.keys(params).join(', ');
      throw new SlipwayError(
        'usage',
        at < 1 ? `${text} is not of the form key=value.` : `Template/${name} has no parameter ${key}.`,
        {
          hint: there === '' ? 'It has none.' : `It has ${there}.`,
        },
      );
    }
    const before = result.get(key);
    result.set(
      key,
      parameter.type === 'list' && Array.isArray(before) ? [...before, value] : READ[parameter.type](value),
    );
  }
  return Object.fromEntries(result);
}

/** What cannot be read stays as it is: the template says what is wrong with it. */
const READ: Readonly<Record<Parameter['type'], (text: string) => Json>> = {
  string: (text) => text,
  integer: number,
  number,
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  list: (text) => [text],
};

function number(text: string): Json {
  return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
}
