/** Decisions in words. */
import type { Grant } from './grant.ts';
import type { Decision, Level } from './permissions.ts';
import type { ResourceWord } from './words.ts';

const PLACES: Readonly<Record<Exclude<Level, 'grant' | 'lock' | 'none'>, string>> = {
  floor: 'the floor of the gateway',
  server: 'the permissions of the server',
  project: 'the permissions of the project',
  role: 'the permissions of the role',
  global: 'the permissions of the gateway',
};

/** Why a tool may be called, or not, as half a sentence: `a rule in the permissions of the server denies delete_*`. */
export function inWords({ allowed, level, rule, because = 'it differs' }: Decision): string {
  if (level === 'none') return 'nothing speaks against it';
  if (level === 'grant') return 'no role lets the caller use the server';
  if (level === 'lock') return `${because}, and no commit has accepted that`;
  const place = PLACES[level];
  if (!rule || rule.what === 'rule')
    return `a rule in ${place} ${allowed ? 'allows' : 'denies'} ${rule?.pattern ?? 'it'}`;
  if (rule.what === 'default') return `the default in ${place} is to ${allowed ? 'allow' : 'deny'}`;
  return `with readOnly in ${place}, only tools that say that they change nothing are open`;
}

/** Who may look at what a rule stands in may know where it stands. */
export function maySeePlace(grant: Grant, { level }: Decision, server: string, project: string | undefined): boolean {
  const at: Partial<Record<Level, readonly [ResourceWord, name?: string]>> = {
    floor: ['gateways'],
    global: ['gateways'],
    server: ['servers', server],
    lock: ['servers', server],
    ...(project === undefined ? {} : { project: ['projects', project] }),
  };
  const [word, name] = at[level] ?? ['roles'];
  return grant.may('view', 'roles') || grant.may('view', word, name, project);
}

/** What would open a tool that is denied. */
export function remedyFor({ level, rule }: Decision, server: string, tool: string): string {
  const wish = `{ pattern: ${tool}, action: allow }`;
  if (level === 'grant')
    return `Bind the caller to a role that may run ${server}: a RoleBinding to member, for instance.`;
  if (level === 'lock')
    return `Look at it with \`slipway lock --check ${server}\`; \`slipway lock ${server}\` accepts it.`;
  if (level === 'floor') return `Nothing but a change of the floor: spec.floor of the Gateway, ${placeOf(rule)}.`;
  if (rule?.what === 'readOnly') return `Add ${wish} to the rules beside readOnly, at ${placeOf(rule)}.`;
  if (rule?.what === 'default') return `Add ${wish} to any permissions that apply, at ${placeOf(rule)} for instance.`;
  return `Change the rule at ${placeOf(rule)}, or add ${wish} below it.`;
}

/** `access.yaml:12`. */
export const placeOf = (cited: { readonly file: string; readonly line: number } | undefined): string =>
  cited ? `${cited.file}:${cited.line}` : 'an unknown place';
