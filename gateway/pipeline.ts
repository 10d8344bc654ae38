/** From an HTTP request to its answer: the steps, in their order. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SlipwayError } from '../schemas/errors.ts';
import { finish } from './audit/finish.ts';
import { challenge, isMetadataPath, serveMetadata } from './auth/resource.ts';
import { withScopes } from './auth/scopes.ts';
import { traceControl } from './audit/requests.ts';
import { Trace } from './audit/trace.ts';
import type { Exchange, Source, State } from './exchange.ts';
import { CONTROL_PREFIX, serveControl } from './routes/control.ts';
import { HEALTH_PATHS, serveHealth } from './routes/health.ts';
import { oldTransport } from './routes/http-sse.ts';
import { get, isMcpPath, post, remove } from './routes/mcp.ts';
import { METRICS_PATH, serveMetrics } from './routes/metrics.ts';
import { refuse } from './rpc/errors.ts';
import { NamedResponse } from './rpc/response.ts';
import { authenticate, type Identity } from './steps/authenticate.ts';
import { authorize, authorizeControl, authorizeMetrics } from './steps/authorize.ts';
import { checkLoop } from './steps/loop.ts';
import { checkOrigin } from './steps/origin.ts';

const mcpMethods = { POST: post, GET: get, DELETE: remove };

/** Answers every request, whatever happens; never throws. */
export async function handle(
  state: State,
  source: Source,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // The snapshot this request begins with is the one it ends with.
  const generation = state.current;
  const path = pathOf(request);
  const trace = new Trace(request);
  if (response instanceof NamedResponse) response.requestId = trace.requestId;
  try {
    if (source.closing) response.shouldKeepAlive = false;
    checkOrigin(request, source.kind, [source.own, generation.policy], isMetadataPath(path));
    checkLoop(request);
    await route({ state, source, generation, request, response, trace, path });
  } catch (error) {
    trace.failed(error);
    const wanted = challenge({ source, generation, request, path }, error);
    if (wanted !== undefined && !response.headersSent) response.setHeader('WWW-Authenticate', wanted);
    refuse({ request, response, log: state.log, rpc: request.method === 'POST' && isMcpPath(path) }, error);
  }
  finish(state.audit, { generation, request, response, trace });
}

async function route(exchange: Exchange): Promise<void> {
  const { state, path, generation, request, trace } = exchange;
  if (HEALTH_PATHS.has(path)) {
    allow(exchange, ['GET', 'HEAD']);
    return serveHealth(exchange);
  }
  if (state.closing) throw new SlipwayError('shutting-down');
  if (isMetadataPath(path)) {
    allow(exchange, ['GET', 'HEAD', 'OPTIONS']);
    return serveMetadata(exchange);
  }
  if (path === CONTROL_PREFIX || path.startsWith(`${CONTROL_PREFIX}/`)) {
    traceControl(trace, request.method, path);
    const identity = await identify(exchange);
    withScopes(identity, undefined, () => authorizeControl(identity, exchange));
    return serveControl(exchange);
  }
  if (path === METRICS_PATH) {
    trace.event('http_request', 'metrics');
    const identity = await identify(exchange);
    withScopes(identity, undefined, () => authorizeMetrics(identity));
    allow(exchange, ['GET', 'HEAD']);
    return serveMetrics(exchange);
  }
  // What could not be recorded must not happen, where the config says so. Operators may look in any case.
  if (state.audit.blocked) throw new SlipwayError('audit-unavailable');
  const old = generation.snapshot.gateway.httpSse ? oldTransport(path) : undefined;
  const target = old?.route ?? path;
  if (!isMcpPath(target) && !generation.routes.has(target)) throw new SlipwayError('not-found');
  const found = identify(exchange);
  // No turn of the event loop for whoever is known.
  const identity = found instanceof Promise ? await found : found;
  trace.project = generation.routes.get(target)?.project;
  const there = generation.routes.get(target);
  const view = withScopes(identity, there, () => authorize(identity, target, there));
  if (old) {
    allow(exchange, [old.method]);
    return old.serve({ ...exchange, identity, route: view });
  }
  const method = allow(exchange, ['GET', 'POST', 'DELETE']);
  await mcpMethods[method]({ ...exchange, identity, route: view });
}

/** From here on it is known who asks. */
function identify(exchange: Exchange): Identity | Promise<Identity> {
  const name = (identity: Identity): Identity => {
    exchange.trace.principal = identity.key;
    return identity;
  };
  const found = authenticate(exchange);
  return found instanceof Promise ? found.then(name) : name(found);
}

function pathOf({ url = '' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** @throws SlipwayError `method-not-allowed` */
function allow<M extends string>({ request, response }: Exchange, methods: readonly M[]): M {
  const method = methods.find((allowed) => allowed === request.method);
  if (method !== undefined) return method;
  response.setHeader('Allow', methods.join(', '));
  throw new SlipwayError('method-not-allowed');
}
