/** Whom a name means, without their credentials: for questions about somebody else. */
import { grantOf, LOCAL, type Grant, type Subject } from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { suggest } from '../../schemas/suggest.ts';
import { Directory } from './directory.ts';
import { subjectOf } from './tokens.ts';

export interface Asked {
  readonly key: string;
  readonly subject: Subject;
  readonly grant: Grant;
}

/**
 * @param key `token:ci`, `user:ada`, `group:developers` (somebody in it and nothing else), `local`
 * @throws SlipwayError `not-found`
 */
export function somebody({ principals, users, groups, access }: Snapshot, key: string): Asked {
  const subject = subjectNamed(key);
  if (subject) return { key, subject, grant: grantOf(access, subject) };
  const names = [
    ...principals.map(({ name }) => `token:${name}`),
    ...users.map(({ name }) => `user:${name}`),
    ...groups.map(({ name }) => `group:${name}`),
    'local',
  ];
  const nearest = suggest(key, names);
  throw new SlipwayError('not-found', `There is no principal ${key}.`, {
    hint: nearest ? `Did you mean ${nearest}?` : 'They are called token:<name>, user:<name>, group:<name> or local.',
  });

  function subjectNamed(word: string): Subject | undefined {
    const [kind = '', name = ''] = word.split(/:(.*)/s, 2);
    if (word === LOCAL.name) return LOCAL;
    const nobody = { kind: 'User', name, roles: [], scopes: [] } as const;
    if (kind === 'group')
      return groups.some((group) => group.name === name) ? { ...nobody, name: '', groups: [name] } : undefined;
    const principal = principals.find((each) => kind === 'token' && each.name === name);
    if (principal) return subjectOf(principal, new Directory(users, groups));
    if (kind !== 'user' || !users.some((user) => user.name === name)) return undefined;
    // Groups that only the provider knows of are not known here.
    return { ...nobody, groups: groups.filter((group) => group.users.includes(name)).map((group) => group.name) };
  }
}
