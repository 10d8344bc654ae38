/** `GET /api/v1/auth/can-i`: whether the caller, or somebody else, may do something, decided as it would be if they did. */
import {
  inWords,
  isMember,
  placeOf,
  remedyFor,
  type Annotations,
  type Decision,
  type Cited,
} from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Abilities, CanI } from '../../schemas/operate.ts';
import { readQuestion, type Question } from '../auth/question.ts';
import { somebody, type Asked } from '../auth/subjects.ts';
import type { Known } from '../exchange.ts';
import { sendJson } from '../rpc/respond.ts';
import type { Generation } from '../snapshot.ts';

/** @throws SlipwayError `usage`, `not-found`, `forbidden` for questions about others without the operation impersonate */
export function serveCanI({ generation, request, response, path, identity }: Known): void {
  const query = new URLSearchParams((request.url ?? '').slice(path.length));
  const as = query.get('as');
  const other = as !== null && as !== identity.key;
  if (other && !identity.grant.operation('impersonate'))
    throw new SlipwayError('forbidden', 'Asking for somebody else needs the operation impersonate.');
  const asked: Asked = other ? somebody(generation.snapshot, as) : identity;
  if (query.get('list') === 'true') return sendJson(response, 200, abilitiesOf(asked));
  const question = readQuestion(query.get('verb') ?? '', query.get('thing') ?? '');
  const { cited, ...answer } = answerTo(question, asked, generation, query.get('project') ?? undefined);
  // Where rules stand, and with it how the config is laid out, is for those who may look at it.
  const sees = identity.grant.may('view', 'roles');
  const whole: CanI = {
    principal: asked.key,
    allowed: answer.allowed,
    reason: answer.reason,
    places: sees ? cited.map(placeOf) : [],
    commit: generation.snapshot.commit,
    ...(sees && answer.remedy !== undefined ? { remedy: answer.remedy } : {}),
  };
  sendJson(response, 200, whole);
}

interface Answer extends Pick<CanI, 'allowed' | 'reason' | 'remedy'> {
  readonly cited: readonly Cited[];
}

function answerTo(question: Question, asked: Asked, generation: Generation, project: string | undefined): Answer {
  const { grant, key } = asked;
  const has = grant.roles.length > 0 ? `has the roles ${grant.roles.join(', ')}` : 'is bound to no role';
  switch (question.about) {
    case 'tool':
      return aboutTool(question, asked, generation, project);
    case 'operation': {
      const allowed = grant.operation(question.operation);
      return {
        allowed,
        reason: `${key} ${has}`,
        cited: [],
        ...(allowed
          ? {}
          : { remedy: `Bind ${key} to a Role with the operation ${question.operation}, without limits.` }),
      };
    }
    case 'scope': {
      const allowed = grant.scope(question.scope, project);
      return {
        allowed,
        reason: `${key} ${has}`,
        cited: [],
        ...(allowed ? {} : { remedy: `Give ${key} the scope, or a Role with it.` }),
      };
    }
    case 'resource': {
      const { verb, resource, name } = question;
      const why = grant.why(verb, resource, name, project);
      const thing = name === undefined ? `all ${resource}` : `${resource}/${name}`;
      if (!why) {
        const remedy = `Bind ${key} to a Role that may ${verb} ${thing}.`;
        return { allowed: false, reason: `no role lets ${key} ${verb} ${thing}; it ${has}`, cited: [], remedy };
      }
      const by = why.binding ? `, by RoleBinding ${why.binding.name}` : '';
      return {
        allowed: true,
        reason: `${key} has the role ${why.role}${by}`,
        cited: [...(why.binding ? [why.binding] : []), why.rule],
      };
    }
  }
}

function aboutTool(
  { server, tool }: Question & { about: 'tool' },
  { grant }: Asked,
  { servers, snapshot }: Generation,
  project: string | undefined,
): Answer {
  const standing = grant.at(server, project);
  // Whoever may not use a server does not learn here whether there is one of that name.
  if (!standing.run) return denied({ allowed: false, level: 'grant' }, server, tool);
  const there = servers.get(server);
  if (!there) throw new SlipwayError('not-found', `There is no server ${server}.`);
  if (project !== undefined && !isMember(snapshot.access, project, server))
    return { allowed: false, reason: `${server} is not in the project ${project}`, cited: [] };
  const item = there.state('tools')?.items?.find(({ name }) => name === tool);
  const decision = standing.decide(tool, item?.['annotations'] as Annotations);
  const missing = item ? '' : `; as far as is known, ${server} has no such tool`;
  if (!decision.allowed) return denied(decision, server, tool, missing);
  return { allowed: true, reason: inWords(decision) + missing, cited: decision.rule ? [decision.rule] : [] };
}

function denied(decision: Decision, server: string, tool: string, missing = ''): Answer {
  const { rule } = decision;
  const message = rule?.message === undefined ? '' : ` (${rule.message})`;
  return {
    allowed: false,
    reason: inWords(decision) + message + missing,
    cited: rule ? [rule] : [],
    remedy: remedyFor(decision, server, tool),
  };
}

function abilitiesOf({ key, subject, grant }: Asked): Abilities {
  return {
    principal: key,
    groups: subject.groups,
    roles: grant.roles,
    scopes: [...grant.scopes],
    ...grant.list(),
  };
}
