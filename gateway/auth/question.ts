/** What people ask whether somebody may do it: `view servers/github`, `call github/create_issue`, `run sync`, `run logs/github`, `scope audit`. */
import { SlipwayError } from '../../schemas/errors.ts';
import { findKind } from '../../schemas/kinds/index.ts';
import { suggest } from '../../schemas/suggest.ts';
import {
  canonicalScope,
  OPERATIONS,
  RESOURCES,
  SCOPES,
  VERBS,
  type Operation,
  type ResourceWord,
  type Scope,
  type Verb,
} from '../../schemas/access.ts';

export type Question =
  | { readonly about: 'tool'; readonly server: string; readonly tool: string }
  | { readonly about: 'operation'; readonly operation: Operation; readonly server?: string }
  | { readonly about: 'scope'; readonly scope: Scope }
  | { readonly about: 'resource'; readonly verb: Verb; readonly resource: ResourceWord; readonly name?: string };

/** @throws SlipwayError `usage` for words that mean nothing */
export function readQuestion(verb: string, thing: string): Question {
  if (verb === 'call') {
    const [, server = '', tool = ''] = /^([^/:]+)(?:\/|::?)(.+)$/.exec(thing) ?? [];
    if (server === '') throw usage('A tool is named by its server and its own name: github/create_issue.');
    return { about: 'tool', server, tool };
  }
  if (verb === 'scope') {
    const scope = canonicalScope(thing);
    if (!scope) throw unknown('scope', thing, SCOPES);
    return { about: 'scope', scope };
  }
  const known = VERBS.find((word) => word === verb);
  if (!known) throw unknown('verb', verb, [...VERBS, 'call', 'scope']);
  const [word = '', name] = thing.split('/', 2);
  const named = name === undefined || name === '' ? undefined : name;
  const operation = OPERATIONS.find((each) => each === word);
  if (known === 'run' && operation)
    return { about: 'operation', operation, ...(named === undefined ? {} : { server: named }) };
  // What verbs are about comes first: `rbac` is more than the kind that is called so for short.
  const called = RESOURCES.some((each) => each === word) ? word : (findKind(word)?.plural ?? word);
  const resource = RESOURCES.find((each) => each === called || each === `${called}s`);
  if (!resource) throw unknown('resource', word, [...RESOURCES, ...(known === 'run' ? OPERATIONS : [])]);
  return { about: 'resource', verb: known, resource, ...(named === undefined ? {} : { name: named }) };
}

function unknown(what: string, word: string, all: readonly string[]): SlipwayError {
  const nearest = suggest(word, all);
  return usage(`There is no ${what} ${word}.`, nearest ? `Did you mean ${nearest}?` : `There is: ${all.join(', ')}.`);
}

const usage = (message: string, hint?: string): SlipwayError =>
  new SlipwayError('usage', message, hint === undefined ? {} : { hint });
