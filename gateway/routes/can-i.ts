/** `GET /api/v1/auth/can-i`: whether the caller, or somebody else, may do something, decided as it would be if they did. */
import {
  inWords,
  isMember,
  placeOf,
  remedyFor,
  type Annotations,
  type Decision,
  type Cited,
  type Reason,
} from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { OWN_SERVER } from '../../schemas/plugins.ts';
import type { Abilities, CanI } from '../../schemas/operate.ts';
import { readQuestion, type Question } from '../auth/question.ts';
import { somebody, type Asked } from '../auth/subjects.ts';
import type { Known } from '../exchange.ts';
import { Naming } from '../naming.ts';
import { drifted } from '../pins.ts';
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
  switch (question.about) {
    case 'tool':
      return aboutTool(question, asked, generation, project);
    case 'operation': {
      const { operation, server } = question;
      const thing = `run ${operation}${server === undefined ? '' : ` for ${server}`}`;
      const remedy = `Bind ${key} to a Role with the operation ${operation}${server === undefined ? ', without limits' : ''}.`;
      return answerOf(asked, grant.whyOperation(operation, server), thing, remedy);
    }
    case 'scope': {
      const { scope } = question;
      return answerOf(
        asked,
        grant.whyScope(scope, project),
        `use the scope ${scope}`,
        `Give ${key} the scope, or a Role with it.`,
      );
    }
    case 'resource': {
      const { verb, resource, name } = question;
      const thing = `${verb} ${name === undefined ? `all ${resource}` : `${resource}/${name}`}`;
      return answerOf(
        asked,
        grant.why(verb, resource, name, project),
        thing,
        `Bind ${key} to a Role that may ${thing}.`,
      );
    }
  }
}

function answerOf({ grant, key }: Asked, why: Reason | undefined, thing: string, remedy: string): Answer {
  if (why) return { allowed: true, reason: because(key, why), cited: why.places };
  const has = grant.roles.length > 0 ? `has the roles ${grant.roles.join(', ')}` : 'is bound to no role';
  return { allowed: false, reason: `no role lets ${key} ${thing}; it ${has}`, cited: grant.given, remedy };
}

function because(key: string, { role, binding }: Reason): string {
  if (role === undefined) return `${key} has it of itself`;
  return `${key} has the role ${role}${binding === undefined ? '' : `, by RoleBinding ${binding}`}`;
}

function aboutTool(
  { server, tool }: Question & { about: 'tool' },
  { grant, key }: Asked,
  { servers, snapshot, routes }: Generation,
  project: string | undefined,
): Answer {
  const standing = grant.at(server, project);
  // Whoever may not use a server does not learn here whether there is one of that name.
  if (!standing.why) return { ...denied({ allowed: false, level: 'grant' }, server, tool), cited: grant.given };
  const there = servers.get(server);
  if (!there && server !== OWN_SERVER) throw new SlipwayError('not-found', `There is no server ${server}.`);
  if (there && project !== undefined && !isMember(snapshot.access, project, server))
    return { allowed: false, reason: `${server} is not in the project ${project}`, cited: [] };
  const item = there
    ? there.state('tools')?.items?.find(({ name }) => name === tool)
    : routes.get(pathOf(project))?.plugin?.tools.find((brought) => brought.item.name === tool)?.item;
  const { overrides } = snapshot.routes[pathOf(project)] ?? {};
  if (new Naming(undefined, overrides).hides(server, tool))
    return { allowed: false, reason: `the project ${project} hides it, whoever calls`, cited: [] };
  const decision = standing.decide(tool, item?.['annotations'] as Annotations);
  const missing = item ? '' : `; as far as is known, ${server} has no such tool`;
  if (!decision.allowed) return denied(decision, server, tool, missing);
  const { rule } = decision;
  const reason = `${because(key, standing.why)}, and ${inWords(decision)}${missing}`;
  const cited = [...(rule ? [rule] : []), ...standing.why.places];
  const differs = there && drifted(there, there.state('tools'))?.(tool);
  if (!differs) return { allowed: true, reason, cited };
  const { refusal } = differs;
  if (!refusal)
    return { allowed: true, reason: `${reason}; it is not what was accepted, though: ${differs.because}`, cited };
  const held = denied(refusal, server, tool);
  return { ...held, reason: `${reason}; but it is held: ${held.reason}`, cited: [...held.cited, ...cited] };
}

const pathOf = (project: string | undefined): string => (project === undefined ? '/mcp' : `/projects/${project}/mcp`);

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
