/** mcpctl's users and groups, and its RBAC: what somebody may do becomes a Role, who it is a RoleBinding. */
import { OPERATIONS, RESOURCES, VERBS } from '../../../schemas/access.ts';
import { objectOf, textsOf } from '../draft.ts';
import type { Known } from './known.ts';

type Item = Record<string, unknown>;

export function addUsers(items: readonly Item[], known: Known): void {
  const users = items.map(({ name, email, role }) => {
    const user = known.add('User', String(name ?? email), { email: String(email ?? name) });
    const about = `User/${user.metadata.name}`;
    if (role !== undefined && role !== 'USER')
      known.drafts.lose(about, `role ${String(role)} was left out: a RoleBinding gives roles`);
    return user;
  });
  // Somebody can be called as somebody else's address: whoever has the address is meant by it.
  for (const user of users) known.call(String(user.spec['email']), user);
}

export function addGroups(items: readonly Item[], known: Known): void {
  for (const { name, description, members } of items) {
    const group = known.add('Group', String(name), {});
    const about = `Group/${group.metadata.name}`;
    const there = textsOf(members).flatMap((member) => {
      const user = known.nameOf('User', member);
      if (user === undefined) known.drafts.lose(about, `member ${member} was left out: the file has no such user`);
      return user ?? [];
    });
    group.spec = {
      ...(typeof description === 'string' ? { description } : {}),
      ...(there.length > 0 ? { members: [...new Set(there)].map((user) => ({ kind: 'User', name: user })) } : {}),
    };
  }
}

/** Nothing is allowed that was not: what cannot be said here is left out, and told. */
export function addAccess(items: readonly Item[], known: Known): void {
  const { drafts } = known;
  for (const { name, subjects, roleBindings } of items) {
    const wanted = String(name);
    const about = `rbac ${wanted}`;
    const bindings = (Array.isArray(roleBindings) ? roleBindings : []).map(objectOf);
    const operations = [...new Set(bindings.flatMap((binding) => operationOf(binding, about, known)))];
    const rules = bindings.flatMap((binding) => ruleOf(binding, about, known));
    const who = (Array.isArray(subjects) ? subjects : []).flatMap((raw) => subjectOf(objectOf(raw), about, known));
    if (rules.length + operations.length === 0 || who.length === 0) {
      drafts.lose(about, `was left out: nothing is left of ${who.length === 0 ? 'whom it is for' : 'what it allows'}`);
      continue;
    }
    const role = drafts.add('Role', wanted, {
      ...(rules.length > 0 ? { rules } : {}),
      ...(operations.length > 0 ? { operations } : {}),
    });
    drafts.add('RoleBinding', wanted, { subjects: who, role: role.metadata.name });
  }
}

/** `{ role: run, action: logs }`. */
function operationOf({ role, action, resource, name }: Item, about: string, { drafts }: Known): string[] {
  if (action === undefined) return [];
  // An operation is for all of Slipway: one that is for something of it alone would be more than was allowed.
  if (role !== 'run' || [resource, name].some((one) => one !== undefined)) {
    drafts.lose(about, `the action ${String(action)} was left out: it stands alone, with the role run`);
    return [];
  }
  const found = OPERATIONS.find((operation) => operation === action);
  if (!found) drafts.lose(about, `the action ${String(action)} was left out: there is no such operation`);
  return found ? [found] : [];
}

/** What a resource is called here, by the kind that names in it are of. */
const KIND_OF: Readonly<Record<string, string>> = {
  servers: 'Server',
  projects: 'Project',
  users: 'User',
  groups: 'Group',
  prompts: 'Prompt',
};

/** `{ role: view, resource: servers, name: github }`. */
function ruleOf({ role, resource, name, action }: Item, about: string, known: Known): Item[] {
  if (action !== undefined) return [];
  const verb = VERBS.find((one) => one === role);
  const word = resource === '*' ? '*' : RESOURCES.find((one) => one === resource);
  const lost = (why: string): Item[] => {
    const what = `${String(role)}:${String(resource)}${name === undefined ? '' : `:${String(name)}`}`;
    known.drafts.lose(about, `${what} was left out: ${why}`);
    return [];
  };
  if (!verb) return lost(`there is no verb ${String(role)}`);
  if (!word) return lost(`there is no resource ${String(resource)}`);
  if (name === undefined || name === null || name === '*') return [{ verbs: [verb], resources: [word] }];
  // Without a name that is known, a rule about one would be about another, or about all.
  const kind = KIND_OF[word];
  const own = kind === undefined ? String(name) : known.nameOf(kind, name);
  if (own === undefined) return lost(`the file has no ${String(name)}`);
  if (!/^[a-z0-9-]+$/.test(own)) return lost(`${own} is no name here`);
  return [{ verbs: [verb], resources: [word], names: [own] }];
}

/** Subjects of mcpctl that are resources here, too. */
const SUBJECTS: readonly unknown[] = ['User', 'Group'];

function subjectOf({ kind, name }: Item, about: string, known: Known): Item[] {
  const isKnown = SUBJECTS.includes(kind);
  const found = isKnown ? known.nameOf(String(kind), name) : undefined;
  if (found !== undefined) return [{ kind, name: found }];
  const why = isKnown ? `the file has no such ${String(kind).toLowerCase()}` : 'make a Token, and bind it';
  known.drafts.lose(about, `${String(kind)} ${String(name)} was left out: ${why}`);
  return [];
}
