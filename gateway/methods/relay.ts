/** A request on its way to the server that it is for, and back. */
import { SlipwayError } from '../../schemas/errors.ts';
import { progressTokenOf, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { RequestOptions } from '../../schemas/peer.ts';
import { traceServer } from '../audit/requests.ts';
import type { Keeping } from '../cache/results.ts';
import type { Call } from '../era/era.ts';
import { allowanceFor, allowanceForTask, tooLate, withinSize, type Allowance } from '../limits/allowance.ts';
import type { Bound } from '../limits/limiter.ts';
import { clean, cleanError, redacts } from '../limits/redact.ts';
import { refused, spendOf, type Spend } from '../limits/spend.ts';
import { outcomeOf, type CallOutcome } from '../metrics.ts';
import type { NamedPipeline } from '../results/of-route.ts';
import { changing, type Change } from '../plugins/calls.ts';
import { inputOf, shaped, shapedRefusal, type Shape } from '../results/reshape.ts';
import type { Json } from '../rpc/json.ts';
import type { Server } from '../upstream/server.ts';
import { withContext } from '../tracing/context.ts';
import type { UpstreamSpan } from '../tracing/tracing.ts';
import { NeedsAuthorization } from '../upstream/auth/needs.ts';
import { Held } from '../upstream/looks.ts';
import { failed } from '../upstream/tally.ts';
import { blocked } from './blocked.ts';
import { askConsent } from './consent.ts';

type Send = (method: string, params: Record<string, unknown>, options: RequestOptions) => Promise<unknown>;

/** What becomes of a result before the client gets it: code of the config repo first, then a pipeline. */
interface Way {
  readonly change: Change | undefined;
  readonly shape: Shape | undefined;
}

/** What is other than usual about a call. */
interface How {
  /** Where it goes, if not to one of the server's instances. */
  readonly send?: Send;
  /** Its result may be given again. */
  readonly keeping?: Keeping;
  /** Another server was asked before for the same request, which was charged then. */
  readonly charged?: boolean;
  /** It is about a task. */
  readonly task?: AboutTask;
}

interface AboutTask {
  /** Whether the answer can hold what the task came to. */
  readonly brings: boolean;
  /** What began it, where the answer counts as what that brings. */
  readonly tool: string | undefined;
}

const AS_USUAL: How = {};

const PROGRESS = 'notifications/progress';
/** What a timer can wait for (ms): the task's own time to live is shorter, and so is the patience of clients. */
const LONGEST = 2 ** 31 - 1;

/**
 * Sends the call's request, with `params` in place of its own, to one of the server's instances.
 * @throws RpcFailure as the server answered; SlipwayError otherwise
 */
export function relay(call: Call, server: Server, params: Record<string, unknown>, how = AS_USUAL): Promise<Json> {
  const { request } = call;
  traceServer(call.trace, server);
  const tool = request.method === 'tools/call' ? String(params['name']) : how.task?.tool;
  const spend = how.task?.brings === false ? undefined : spendOf(call, server, tool);
  if (spend?.refusal) return refused(call, server, spend.refusal);
  const allowance = (how.task ? allowanceForTask : allowanceFor)(call, server, tool);
  if (!how.charged) spend?.take();
  const { pipelines, plugin } = call.caller.route;
  const pipeline = pipelines?.get(server.name);
  const shape = pipeline && shapeOf(call, pipeline, String(params['name']), allowance);
  const change = plugin && changing(plugin, call, server, params);
  const way = shape || change ? { shape, change } : undefined;
  const known = how.keeping?.known;
  const answer = known ? again(call, server, known, way) : pass(call, server, params, allowance.timeout, how, way);
  return allowance.permit || allowance.result || spend ? within(call, server, allowance, spend, answer) : answer;
}

/** `undefined` for what goes through no pipeline. */
function shapeOf(
  { request }: Call,
  pipeline: NamedPipeline,
  name: string,
  { result: limit, timeout }: Allowance,
): Shape | undefined {
  const input = inputOf(pipeline, request.method);
  return input && { pipeline, input, name, limit, timeout };
}

async function within(
  call: Call,
  server: Server,
  { permit, result }: Allowance,
  spend: Spend | undefined,
  answer: Promise<Json>,
): Promise<Json> {
  try {
    const json = withinSize(call, server, result, await answer);
    return spend ? spend.answered(json) : json;
  } finally {
    permit?.release();
  }
}

/** What the server said before. Nobody asks it, so nothing of it is counted there. */
async function again(call: Call, server: Server, result: Record<string, unknown>, way: Way | undefined): Promise<Json> {
  call.trace.detail = { ...call.trace.detail, cached: true };
  call.caller.state.metrics.of(server.name).cached++;
  return way ? finished(call, server, way, result) : call.encode(result, server);
}

async function finished(call: Call, server: Server, { change, shape }: Way, result: unknown): Promise<Json> {
  const changed = change ? await change(result) : result;
  return shape ? shaped(call, server, shape, changed) : call.encode(changed, server);
}

async function pass(
  call: Call,
  server: Server,
  params: Record<string, unknown>,
  bound: Bound | undefined,
  { send, keeping, task }: How,
  way: Way | undefined,
): Promise<Json> {
  const { caller, request } = call;
  const controller = new AbortController();
  const { calls } = caller.state;
  const metrics = caller.state.metrics.of(server.name);
  let outcome: CallOutcome = 'ok';
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  let span: UpstreamSpan | undefined;
  let good: unknown;
  let hasAsked = false;
  let questions = 0;
  // It waits for the end of a task, as it must (MCP 2025-11-25, "Result Retrieval"), which is no call that is slow.
  const timeoutMs = request.method === 'tasks/result' ? LONGEST : server.entry.timeoutMs;
  const narrow = bound && bound.value < timeoutMs ? bound : undefined;
  // Progress does not extend it: a server cannot hold a call for ever by claiming to advance.
  const timeOut = (): void => controller.abort(narrow ? tooLate(call, narrow) : tooSlow(server));
  // While a person thinks about a question, it is not the server that is slow.
  const client = call.open(server, (waiting) => {
    clearTimeout(timer);
    hasAsked = true;
    questions += waiting ? 1 : -1;
    if (questions === 0 && !ended) timer = setTimeout(timeOut, narrow?.value ?? timeoutMs);
  });
  timer = setTimeout(timeOut, narrow?.value ?? timeoutMs);
  const running = calls.add(call.id, request.id, controller);
  const stay = call.onGone(() => controller.abort(new SlipwayError('cancelled', 'The client went away.')));
  metrics.inFlight++;
  const began = performance.now();
  try {
    const bytes = !way && !keeping && !redacts(caller, server);
    const options: RequestOptions = { signal: controller.signal, client, bytes };
    // What is asked about a task keeps the name that its client knows, wherever it is asked.
    if (task) options.instance = call.instance;
    else options.at = call;
    const progressToken = progressTokenOf(params);
    if (progressToken !== undefined) {
      options.progressToken = progressToken;
      options.onProgress = (progress) =>
        ended ? call.afterwards(PROGRESS, progress, server) : call.notify(PROGRESS, progress);
    }
    const { method } = request;
    span = caller.state.tracing.spans?.upstream(caller.trace, server.name, method);
    const context = span?.context ?? caller.trace.context;
    const sent = context ? withContext(params, context) : params;
    const result = send ? send(method, sent, options) : server.request(method, sent, options);
    const answer = clean(call, server, await result);
    if (failed(answer)) {
      outcome = 'error';
      call.trace.toolFailed();
    } else if (!hasAsked && !client.retry) good = answer; // What a person answered is in no argument.
    // Not waited for in here: the server has done its part.
    return way ? finished(call, server, way, answer) : call.encode(answer, server);
  } catch (error) {
    outcome = outcomeOf(error);
    if (error instanceof NeedsAuthorization) return await askConsent(call, server, error);
    if (error instanceof Held) return blocked(call, server, String(params['name']), error.decision);
    const refusal = cleanError(call, server, error);
    return call.refused(
      way?.shape && refusal instanceof RpcFailure ? await shapedRefusal(call, server, way.shape, refusal) : refusal,
      server,
    );
  } finally {
    keeping?.end(good);
    metrics.end(outcome, began);
    span?.end(outcome);
    client.end();
    ended = true;
    clearTimeout(timer);
    stay();
    calls.remove(running);
  }
}

function tooSlow({ name }: Server): SlipwayError {
  return new SlipwayError('upstream-timeout', `${name} did not answer in time.`);
}
