/** What one call to a server may take: what its caller may, and what the server and the tool allow besides. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Call } from '../era/era.ts';
import { sizeOf, type Json } from '../rpc/json.ts';
import type { Server } from '../upstream/server.ts';
import { wordsFor, type Bound, type Permit } from './limiter.ts';

export interface Allowance {
  /** Absent: as long as the server's own timeout says. */
  readonly timeout: Bound | undefined;
  readonly result: Bound | undefined;
  /** To be released when the call has ended. */
  readonly permit?: Permit | undefined;
}

/**
 * @param tool its own name at the server; none for what is no call of a tool
 * @throws SlipwayError `concurrency-limited`, `rate-limited`, `body-too-large`
 */
export function allowanceFor({ caller }: Call, server: Server, tool: string | undefined): Allowance {
  const { state, generation, course, trace } = caller;
  const own = generation.limits.ofCall(server.name, tool);
  if (!own) return course;
  if ((trace.bodyBytes ?? 0) > own.bodyBytes) throw new SlipwayError('body-too-large');
  return {
    timeout: narrower(course.timeout, own.timeout),
    result: narrower(course.result, own.result),
    permit: own.counted.length > 0 ? state.limiter.admit(own.counted, 'concurrency') : undefined,
  };
}

/** The same for a request about a task: it is no call of the tool, but what it brings is what the tool gave. */
export function allowanceForTask(call: Call, server: Server, tool: string | undefined): Allowance {
  const { result, ...rest } = allowanceFor(call, server, undefined);
  return { ...rest, result: narrower(result, call.caller.generation.limits.ofCall(server.name, tool)?.result) };
}

function narrower(one: Bound | undefined, other: Bound | undefined): Bound | undefined {
  if (!one || !other) return one ?? other;
  return other.value < one.value ? other : one;
}

/** Why a request was given up on. */
export function tooLate({ caller }: Pick<Call, 'caller'>, { value, level }: Bound): SlipwayError {
  const why = `the request took longer than the ${value} ms that ${wordsFor(level)} allows`;
  return caller.state.limiter.refused('request-timeout', level, why);
}

/**
 * A result that is too large is replaced as a whole: a part of one would be no JSON, or say something else.
 * @param json the result as the client would get it
 * @returns what it gets: `json`, or for the call of a tool a result that says what is wrong
 * @throws SlipwayError `result-too-large` for other calls
 */
export function withinSize(call: Call, server: Server | undefined, bound: Bound | undefined, json: Json): Json {
  // A character takes 3 bytes of UTF-8 at most, so most need not be counted.
  if (!bound || (typeof json === 'string' && json.length * 3 <= bound.value)) return json;
  const bytes = sizeOf(json);
  if (bytes <= bound.value) return json;
  const { caller, request } = call;
  const why = `the result has ${bytes} bytes, and ${wordsFor(bound.level)} allows ${bound.value}`;
  const error = caller.state.limiter.refused('result-too-large', bound.level, why);
  if (request.method !== 'tools/call') throw error;
  call.trace.detail = { limit: error.details?.limit };
  call.trace.denied(error.code, 'limit');
  const text = `${error.message} Ask for less.`;
  return call.encode(policyResult(text, 'result-size', error), server);
}

/** A tool's result in which Slipway, not the tool, says no. */
export function policyResult(text: string, policy: string, { code, details }: SlipwayError): Record<string, unknown> {
  return {
    content: [{ type: 'text', text }],
    isError: true,
    _meta: { 'slipway/policy': policy, 'slipway/error': { error_code: code, ...details } },
  };
}

/**
 * The answer to a request that asks several servers, if it comes in time. They are asked for everybody, so they go on.
 * @throws SlipwayError `request-timeout`
 */
export function inTime<T>(call: Pick<Call, 'caller'>, answer: Promise<T>): Promise<T> {
  const { timeout } = call.caller.course;
  if (!timeout) return answer;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooLate(call, timeout)), timeout.value);
    void answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
