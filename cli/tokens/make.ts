/** Makes tokens, and what is written of them. */
import { createHash, randomBytes } from 'node:crypto';
import { BUILT_IN_ROLES, canonicalScope, SCOPES } from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { duration, milliseconds } from '../../schemas/kinds/fields.ts';
import { text, type Options } from '../command.ts';
import type { Draft } from '../write/draft.ts';

export interface Made {
  /** Shown once, and kept nowhere. */
  readonly token: string;
  /** In hex. */
  readonly sha256: string;
}

/** The prefix is for scanners that look for secrets where none should be. */
export function makeToken(): Made {
  const token = `slw_${randomBytes(32).toString('base64url')}`;
  return { token, sha256: createHash('sha256').update(token).digest('hex') };
}

/** What the options say of roles, scopes and projects. @throws SlipwayError `usage`, with a list of what there is */
export function rightsOf(options: Options, draft: Draft): Record<string, string[]> {
  const roles = list(options, 'role');
  const scopes = list(options, 'scopes');
  const projects = list(options, 'project') ?? list(options, 'projects');
  refuseUnknown('role', roles, [...BUILT_IN_ROLES, ...namesOf(draft, 'Role')]);
  refuseUnknown('project', projects, namesOf(draft, 'Project'));
  const known = scopes?.map((scope) => canonicalScope(scope) ?? scope);
  refuseUnknown('scope', known, SCOPES);
  return {
    ...(roles ? { roles } : {}),
    ...(known ? { scopes: [...new Set(known)] } : {}),
    ...(projects ? { projects } : {}),
  };
}

/** The last moment that ISO 8601 has four digits for the year of. */
const LATEST = Date.UTC(9999, 11, 31);

/** `90d` from now, in ISO 8601. @throws SlipwayError `usage` */
export function timeIn(options: Options, name: string): string | undefined {
  const wanted = text(options, name);
  if (wanted === undefined) return undefined;
  if (!duration.safeParse(wanted).success)
    throw new SlipwayError('usage', `--${name} ${wanted} is no duration such as 90d.`);
  const time = Date.now() + milliseconds(wanted);
  if (time > LATEST) throw new SlipwayError('usage', `--${name} ${wanted} ends after the year 9999.`);
  return new Date(time).toISOString();
}

const namesOf = (draft: Draft, kind: string): string[] => draft.of(kind).map(({ metadata }) => metadata.name);

function list(options: Options, name: string): string[] | undefined {
  const words = text(options, name)?.split(',');
  return words && [...new Set(words.map((word) => word.trim()).filter(Boolean))];
}

function refuseUnknown(what: string, given: readonly string[] | undefined, known: readonly string[]): void {
  const unknown = given?.filter((word) => !known.includes(word)) ?? [];
  if (unknown.length === 0) return;
  const there = known.length === 0 ? 'There is none.' : `There is: ${known.join(', ')}.`;
  throw new SlipwayError('usage', `There is no ${what} ${unknown.join(', ')}.`, { hint: there });
}
