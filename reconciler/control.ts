/** What the CLI can ask a running reconciler. Reading for the most part: changes come from commits. */
import { ERRORS, SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import { decoded, type Control, type ControlRequest, type ControlResponse } from '../schemas/control.ts';
import { pruneSchema, type PruneRequest } from '../schemas/operate.ts';
import type { InstanceStatus, Status } from '../schemas/status.ts';
import { audit, type AuditDesk } from './audit-control.ts';
import { changes, events, history, logs, resources } from './control-reading.ts';
import {
  checkAuditor,
  checkEditor,
  checkOperation,
  passedFor,
  refusalFor,
  seesEverything,
  statusFor,
  usageFor,
  type Offer,
} from './control-access.ts';
import { proposals, propose } from './proposals/control.ts';
import { toolsIn } from './facts.ts';
import { offers } from './pins/offers.ts';
import { orphansOf, prune, statsOf, usageOf } from './operate.ts';
import { observe } from './world.ts';
import type { Reconciler } from './reconciler.ts';

type Handler = (
  reconciler: Reconciler,
  request: ControlRequest,
  parts: readonly string[],
  desk: AuditDesk | undefined,
) => Promise<ControlResponse>;

/** Method and first part of the path → handler. */
const ROUTES: Readonly<Record<string, Handler>> = {
  'GET status': async (reconciler, { query, signal, caller: { grant } }) => {
    const wanted = query.get('stats') === 'true' ? withStats(reconciler, signal) : reconciler.status();
    const { world, findings, lists } = reconciler;
    const status = findings.into(await wanted, toolsIn(world, lists()), world.compiled.draft.routes);
    return ok(statusFor(grant, status, offerOf(reconciler)));
  },
  'GET resources': async (reconciler, { caller: { grant } }, parts) => ok(resources(reconciler, grant, parts)),
  'GET budgets': async (reconciler, { caller: { grant } }) =>
    ok(reconciler.budgets().filter(({ budget }) => grant.may('view', 'budgets', budget))),
  'GET stats': async ({ world }, { signal, caller: { grant } }) => ok(usageFor(grant, await usageOf(world, signal))),
  'GET orphans': async ({ world }, { signal, caller: { grant } }) => {
    checkOperation(grant, 'prune');
    return ok(await orphansOf(world, signal));
  },
  'GET tools': async ({ world, lists }, { signal, caller: { grant } }) =>
    ok(await offers(world, lists(), grant, signal)),
  'POST prune': async ({ world }, { body, signal, caller: { grant } }) => {
    checkOperation(grant, 'prune');
    return ok(await prune(world, pruneRequest(body), signal));
  },
  'GET actual': async ({ world }, { signal, caller: { grant } }) => {
    checkEditor(grant);
    return ok(await observe(world, signal));
  },
  'POST backup': async ({ world }, { caller: { grant } }) => {
    checkOperation(grant, 'backup');
    if (!world.backups) throw new SlipwayError('not-found', 'This Slipway makes no backups.');
    return ok(await world.backups.now(world));
  },
  'GET audit': async (_reconciler, request, parts, desk) => {
    checkAuditor(request.caller, request.query);
    return audit(desk, request, parts);
  },
  'GET logs': logs,
  'GET events': async (reconciler, request) => events(reconciler, request),
  'GET changes': async (reconciler, request) => changes(reconciler, request),
  'GET history': async (reconciler, request, parts) => ok(await history(reconciler, request, parts)),
  'GET proposals': proposals,
  'POST proposals': propose,
  'GET cache': async (reconciler, { caller: { grant } }) => {
    checkOperation(grant, 'prune');
    return ok(await here(reconciler.cache()).stats());
  },
  'DELETE cache': async (reconciler, { query, caller: { grant } }, [namespace]) => {
    checkOperation(grant, 'prune');
    return ok(await here(reconciler.cache()).clear({ namespace, olderThanMs: ageIn(query) }));
  },
  'POST llms': async (reconciler, { body, signal, caller: { grant } }) => {
    checkOperation(grant, 'sync');
    return ok(await here(reconciler.llms()).check(namesIn(body), signal));
  },
  'POST summaries': async (reconciler, { signal, caller: { grant } }, [name = '']) => {
    checkOperation(grant, 'sync');
    if (!grant.may('view', 'prompts', name)) throw new SlipwayError('not-found', `There is no Prompt ${name}.`);
    return ok(await here(reconciler.llms()).summarize(name, signal));
  },
  'POST workspaces': async (reconciler, { body, caller: { grant } }) => {
    checkOperation(grant, 'sync');
    const all = await reconciler.syncWorkspaces(namesIn(body));
    const synced = all.filter(({ name }) => grant.may('view', 'workspaces', name));
    return ok(synced.map(({ error, ...rest }) => ({ ...rest, ...(error ? { error: error.toJSON() } : {}) })));
  },
  'POST sync': async (reconciler, { query, caller: { grant } }) => {
    checkOperation(grant, 'sync');
    const passing = reconciler.sync({ retry: query.get('retry') === 'true' });
    if (query.get('wait') !== 'true') {
      passing.catch(() => {}); // Its outcome is in the status.
      return { status: 202, body: { accepted: true } };
    }
    const { outcomes, ...passed } = passedFor(
      grant,
      await passing.catch((error: unknown) => {
        throw refusalFor(grant, error);
      }),
    );
    return ok({
      ...passed,
      outcomes: outcomes.map(({ error, ...outcome }) => ({ ...outcome, ...(error ? { error: error.toJSON() } : {}) })),
    });
  },
};

/** @param desk answers questions about the audit log */
export function control(reconciler: Reconciler, desk?: AuditDesk): Control {
  return async (request) => {
    try {
      const [first = '', ...parts] = request.path.split('/').filter(Boolean).map(decoded);
      const handler = ROUTES[`${request.method} ${first}`];
      if (!handler)
        throw new SlipwayError('not-found', `There is no ${request.method} /api/v1/${first}.`, {
          hint: ERRORS['not-found'].hint,
        });
      return await handler(reconciler, request, parts, desk);
    } catch (error) {
      const known = toSlipwayError(error);
      const isTold = known.code === 'invalid-config' && seesEverything(request.caller.grant);
      const issues = isTold ? { issues: reconciler.world.issues } : {};
      return { status: known.row.http, body: { ...known.toJSON(), ...issues } };
    }
  };
}

function offerOf({ world: { served, compiled } }: Reconciler): Offer {
  const { members } = compiled.draft.access;
  return {
    tools: (address) => served.get(address)?.readiness.tools ?? [],
    projects: (server) => Object.keys(members).filter((project) => members[project]?.includes(server)),
  };
}

/** Measuring costs: it is done for whoever asks, and not at each change of the status. */
async function withStats(reconciler: Reconciler, signal: AbortSignal): Promise<Status> {
  const [status, stats] = await Promise.all([reconciler.status(), statsOf(reconciler.world, signal)]);
  const measured = (instance: InstanceStatus): InstanceStatus => {
    const found = stats.get(instance.name);
    return found ? { ...instance, stats: found } : instance;
  };
  const servers = status.servers.map((server) => ({ ...server, instances: server.instances.map(measured) }));
  return { ...status, servers };
}

/** `{ "names": ["handbook"] }`; none: all. @throws SlipwayError bad-request */
function namesIn(body: unknown): readonly string[] {
  const { names = [] } = (body ?? {}) as { names?: unknown };
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw new SlipwayError('bad-request', 'names must be a list of names.');
}

/** @throws SlipwayError not-found */
function here<T>(desk: T | undefined): T {
  if (desk) return desk;
  throw new SlipwayError('not-found', 'This Slipway has no gateway yet.');
}

/** `?olderThan=604800000`. @throws SlipwayError bad-request */
function ageIn(query: URLSearchParams): number | undefined {
  const text = query.get('olderThan');
  if (text === null) return undefined;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new SlipwayError('bad-request', 'olderThan must be a number of milliseconds.');
}

function pruneRequest(body: unknown): PruneRequest {
  const parsed = pruneSchema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  throw new SlipwayError('bad-request', parsed.error.issues.map(({ message }) => message).join(' '));
}

const ok = (body: unknown): ControlResponse => ({ status: 200, body });
