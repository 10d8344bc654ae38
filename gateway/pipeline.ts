/** From an HTTP request to its answer: the steps, in their order. */
import type { HttpRequest, HttpResponse } from './http/message.ts';
import { SlipwayError } from '../schemas/errors.ts';
import { finish } from './audit/finish.ts';
import { challenge, isMetadataPath } from './auth/resource.ts';
import { withScopes } from './auth/scopes.ts';
import { traceControl } from './audit/requests.ts';
import { Trace } from './audit/trace.ts';
import type { Exchange, Holder, Source, State } from './exchange.ts';
import { isMcpPath } from './routes/mcp.ts';
import {
  routeAt,
  targetOf,
  type CallerRow,
  type ControlRow,
  type McpRow,
  type RouteRow,
  type ScopeRow,
} from './routes/table.ts';
import { refuse } from './rpc/errors.ts';
import { authenticate, type Identity } from './steps/authenticate.ts';
import { authorize, authorizeControl, authorizeScope } from './steps/authorize.ts';
import { welcome } from './steps/cors.ts';
import { giveBack, limit } from './steps/limit.ts';
import { checkLoop } from './steps/loop.ts';
import { checkOrigin } from './steps/origin.ts';
import { personal } from './steps/personal.ts';

/** Answers every request, whatever happens; never throws. */
export async function handle(
  state: State,
  source: Source,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  // The snapshot this request begins with is the one it ends with.
  const generation = state.current;
  const path = pathOf(request);
  const trace = new Trace(request);
  response.requestId = trace.requestId;
  const exchange: Holder = { state, source, generation, request, response, trace, path, held: undefined };
  try {
    if (source.closing) response.shouldKeepAlive = false;
    checkOrigin(request, source.kind, [source.own, generation.policy], isMetadataPath(path));
    checkLoop(request);
    await route(exchange);
  } catch (error) {
    trace.failed(error);
    const wanted = challenge(exchange, error);
    if (wanted !== undefined && !response.headersSent) response.setHeader('WWW-Authenticate', wanted);
    refuse({ request, response, log: state.log, rpc: request.method === 'POST' && isMcpPath(path) }, error);
  }
  giveBack(exchange);
  finish(state, exchange);
}

function route(exchange: Holder): void | Promise<void> {
  const { state, path } = exchange;
  const row = routeAt(path);
  if (row?.access === 'public') {
    if (state.closing && !row.always) throw new SlipwayError('shutting-down');
    allow(exchange, row);
    return row.serve(exchange);
  }
  if (state.closing) throw new SlipwayError('shutting-down');
  if (!row) throw new SlipwayError('not-found');
  if (row.access === 'mcp') return serveClient(exchange, row);
  return serveOperator(exchange, row);
}

/** No turn of the event loop for whoever is known. */
function serveClient(exchange: Holder, row: McpRow): void | Promise<void> {
  const { state, generation } = exchange;
  if (row.when?.(generation) === false) throw new SlipwayError('not-found');
  if (welcome(exchange, row)) return undefined;
  // What could not be recorded must not happen, where the config says so. Operators may look in any case.
  if (state.audit.blocked) throw new SlipwayError('audit-unavailable');
  const found = identify(exchange);
  if (!(found instanceof Promise)) return serveKnown(exchange, row, found);
  return found.then((identity) => serveKnown(exchange, row, identity));
}

function serveKnown(exchange: Holder, row: McpRow, identity: Identity): void | Promise<void> {
  const { state, source, generation, request, response, trace, path } = exchange;
  const target = targetOf(row, path);
  const there = generation.routes.get(target);
  trace.project = there?.project;
  const shared = withScopes(identity, there, () => authorize(identity, target, there));
  const view = personal(exchange, identity, shared);
  allow(exchange, row);
  const slot = row.listens && request.method === 'GET' ? 'streams' : 'concurrency';
  const { course, permit } = limit(exchange, identity, there?.project, slot);
  // Spelled out: what V8 knows of copies with more fields it can forget, as it does of ticks (cli/heap.ts).
  return row.serve({
    state,
    source,
    generation,
    request,
    response,
    trace,
    path,
    identity,
    course,
    permit,
    route: view,
  });
}

/** An operator who waits for what comes. */
const FOLLOWS = /[?&]follow=true(?:&|$)/;

async function serveOperator(exchange: Holder, row: CallerRow | ControlRow | ScopeRow): Promise<void> {
  const { request, trace, path, source } = exchange;
  const { access } = row;
  if (typeof access === 'string') traceControl(trace, request.method, path);
  else trace.event('http_request', path.slice(1));
  const identity = await identify(exchange);
  withScopes(identity, undefined, () => {
    if (access === 'control') authorizeControl(identity, exchange);
    else if (access !== 'caller') authorizeScope(identity, access.scope);
  });
  allow(exchange, row);
  // Whatever clients do, whoever sits at this machine can see to it.
  const isFree = source.kind === 'unix' || ('unlimited' in row && row.unlimited);
  const slot = FOLLOWS.test(request.url ?? '') ? 'streams' : 'concurrency';
  if (!isFree) limit(exchange, identity, undefined, slot);
  await row.serve({ ...exchange, identity });
}

/** From here on it is known who asks. */
function identify(exchange: Exchange): Identity | Promise<Identity> {
  const { state, trace } = exchange;
  const name = (identity: Identity): Identity => {
    trace.principal = identity.key;
    trace.grant = identity.grant;
    return identity;
  };
  const failed = (error: unknown): never => {
    state.addresses.failed(exchange, error);
    throw error;
  };
  state.addresses.check(exchange);
  try {
    const found = authenticate(exchange);
    return found instanceof Promise ? found.then(name, failed) : name(found);
  } catch (error) {
    return failed(error);
  }
}

function pathOf({ url = '' }: HttpRequest): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** @throws SlipwayError `method-not-allowed` */
function allow({ request, response }: Exchange, { methods }: RouteRow): void {
  if (!methods || methods.includes(request.method ?? '')) return;
  response.setHeader('Allow', methods.join(', '));
  throw new SlipwayError('method-not-allowed');
}
