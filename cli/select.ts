/** How people say which resources they mean: kinds in all their spellings, globs of names, selectors of labels. */
import { SlipwayError } from '../schemas/errors.ts';
import { findKind, KINDS } from '../schemas/kinds/index.ts';
import { followsAll, type LabelRule, type Labels } from '../schemas/labels.ts';
import type { Kind } from '../schemas/kinds/kind.ts';
import { suggest } from '../schemas/suggest.ts';
import { kindElsewhere, toldElsewhere } from './elsewhere.ts';

/** @param others words that stand beside the kinds there @throws SlipwayError unknown-kind with what may have been meant */
export function kindFor(word: string, others: readonly string[] = []): Kind {
  const kind = findKind(word);
  if (kind) return kind;
  const kinds = Object.values(KINDS) as Kind[];
  const nearest = suggest(word, [
    ...kinds.flatMap(({ kind: name, plural, short }) => [plural, name.toLowerCase(), ...short]),
    ...others,
  ]);
  const all = [...kinds.map(({ plural }) => plural), ...others].join(', ');
  const listed = listedAs(word);
  const told = listed ? `\`slipway get ${listed}\` lists them.` : toldElsewhere(word);
  const known = kindElsewhere(word) ?? nearest;
  throw new SlipwayError('unknown-kind', `There is no kind ${word}.`, {
    hint: told ?? (known ? `Did you mean ${known}?` : `Kinds: ${all}.`),
  });
}

/** What is no kind and can be listed all the same. Requests of people who may not push are pull requests to most. */
export const LISTED = {
  instances: ['instance', 'inst'],
  orphans: ['orphan'],
  proposals: ['proposal', 'prop', 'pr', 'promptrequest', 'promptrequests'],
  serverattachments: ['serverattachment', 'sa'],
} as const;

export function listedAs(word: string): keyof typeof LISTED | undefined {
  const wanted = word.toLowerCase();
  const words = Object.entries(LISTED) as [keyof typeof LISTED, readonly string[]][];
  return words.find(([plural, others]) => plural === wanted || others.includes(wanted))?.[0];
}

export interface Named {
  readonly kind: Kind;
  readonly names: readonly string[];
}

/** `server github fetch` and `server/github project/dev` alike. @throws SlipwayError usage, unknown-kind */
export function namedBy(args: readonly string[]): Named[] {
  const [first = '', ...names] = args;
  if (!first.includes('/')) return [{ kind: kindFor(first), names }];
  return args.map((word) => {
    const [kind = '', name = '', ...more] = word.split('/');
    if (name === '' || more.length > 0) throw new SlipwayError('usage', `${word} is not of the form kind/name.`);
    return { kind: kindFor(kind), names: [name] };
  });
}

/** @throws SlipwayError usage where not exactly one is named */
export function oneNamedBy(args: readonly string[]): { kind: Kind; name: string; rest: readonly string[] } {
  const [first = '', ...rest] = args;
  const words = first.includes('/') ? [first] : [first, ...rest.splice(0, 1)];
  const [named] = namedBy(words);
  const name = named?.names[0];
  if (!named || name === undefined)
    throw new SlipwayError('usage', 'Name a kind and a name.', {
      hint: 'For example `server github` or `server/github`.',
    });
  return { kind: named.kind, name, rest };
}

/** `graf*`, `db-?`: `*` stands for anything, `?` for one character. */
export function nameMatcher(pattern: string): (name: string) => boolean {
  const source = pattern
    .split('')
    .map((char) => (char === '*' ? '.*' : char === '?' ? '.' : char.replace(/[\\^$.|+()[\]{}]/, '\\$&')))
    .join('')
    .replaceAll(/(\.\*)+/g, '.*'); // Stars in a row would make matching slow.
  const expression = new RegExp(`^${source}$`);
  return (name) => expression.test(name);
}

export const isPattern = (name: string): boolean => /[*?]/.test(name);

/** kubectl's selectors: `a=b`, `a!=b`, `a`, `!a`, `a in (b, c)`, `a notin (b)`; a comma means and. @throws SlipwayError usage */
export function labelSelector(selector: string): (labels: Labels) => boolean {
  const terms = selector.split(/,(?![^(]*\))/).map((term) => labelTerm(term.trim()));
  return (labels) => followsAll(terms, labels);
}

const KEY = '([^\\s=!,()]+)';

function labelTerm(term: string): LabelRule {
  const set = new RegExp(`^${KEY}\\s+(in|notin)\\s+\\(([^()]*)\\)$`).exec(term);
  const equal = new RegExp(`^${KEY}\\s*(==?|!=)\\s*(.*)$`).exec(term);
  const present = new RegExp(`^(!?)\\s*${KEY}$`).exec(term);
  if (set?.[1] !== undefined) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim());
    return { key: set[1], operator: set[2] === 'in' ? 'In' : 'NotIn', values };
  }
  if (equal?.[1] !== undefined)
    return { key: equal[1], operator: equal[2] === '!=' ? 'NotIn' : 'In', values: [equal[3] ?? ''] };
  if (present?.[2] !== undefined) return { key: present[2], operator: present[1] === '' ? 'Exists' : 'DoesNotExist' };
  throw new SlipwayError('usage', `${JSON.stringify(term)} selects no labels.`, {
    hint: 'For example -l team=core, -l env!=prod, -l "tier in (a, b)", -l !team.',
  });
}
