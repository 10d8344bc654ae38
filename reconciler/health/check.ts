/** One look at an instance: is it well, as far as this probe can tell? */
import canonicalize from 'canonicalize';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Channel } from '../../schemas/peer.ts';
import { untilAborted } from '../async.ts';
import type { Driver, Instance } from '../drivers/driver.ts';
import type { Check, Probe } from '../workload.ts';

export interface Patient {
  readonly driver: Driver;
  readonly instance: Instance;
  /** An MCP conversation with it that has begun. */
  readonly channel: (signal: AbortSignal) => Promise<Channel>;
}

/**
 * @throws SlipwayError `not-ready` with what was wrong, masked; `invalid-value` where the driver cannot do what the probe
 * asks for; the signal's reason
 */
export async function runProbe({ check, timeoutMs }: Probe, patient: Patient, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.timeout(timeoutMs);
  const both = AbortSignal.any([signal, limit]);
  try {
    await untilAborted(run(check, patient, both), both);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (limit.aborted) throw failed(`did not answer within ${timeoutMs / 1000} s`, check);
    const { driver, instance } = patient;
    const mask = (text: string): string => driver.mask?.(instance.id, text) ?? text;
    if (error instanceof RpcFailure) throw failed(`was answered with an error: ${mask(error.message)}`, check);
    const known = toSlipwayError(error, 'not-ready');
    throw new SlipwayError(known.code, mask(known.message), { hint: known.hint, cause: error });
  }
}

async function run(check: Check, patient: Patient, signal: AbortSignal): Promise<void> {
  const { driver, instance } = patient;
  if (check.type === 'http') return httpAnswers(instance, check, signal);
  if (check.type === 'exec') return programSucceeds(driver, instance, check, signal);
  const channel = await patient.channel(signal);
  if (check.type === 'tools') return listsTools(channel, check, signal);
  if (check.type === 'call') return callAnswers(channel, check, signal);
  await channel.request('ping', {}, { signal }).catch((error: unknown) => {
    // MCP 2026-07-28 has no ping; a server that says so has answered.
    if (!(error instanceof RpcFailure) || error.error.code !== RPC.methodNotFound) throw error;
  });
}

async function listsTools(channel: Channel, check: Check, signal: AbortSignal): Promise<void> {
  const { tools } = ((await channel.request('tools/list', {}, { signal })) ?? {}) as { tools?: unknown };
  if (!Array.isArray(tools)) throw failed('got no list', check);
}

type Call = Extract<Check, { type: 'call' }>;

async function callAnswers(channel: Channel, check: Call, signal: AbortSignal): Promise<void> {
  const { tool, arguments: args, expect } = check;
  const answer = await channel.request('tools/call', { name: tool, arguments: args }, { signal });
  const result = (answer ?? {}) as { isError?: boolean; content?: unknown; structuredContent?: unknown };
  if (result.isError) throw failed('answered with an error', check);
  if (expect?.text !== undefined && !textOf(result.content).includes(expect.text))
    throw failed('did not answer with the expected text', check);
  if (expect?.structured && !holds(result.structuredContent, expect.structured))
    throw failed('did not answer with the expected structured content', check);
}

function textOf(content: unknown): string {
  const parts: readonly { text?: unknown }[] = Array.isArray(content) ? content : [];
  return parts.flatMap((part) => (typeof part?.text === 'string' ? [part.text] : [])).join('\n');
}

/** Whether `value` holds all that `wanted` says: maps may have more fields, everything else is equal. */
export function holds(value: unknown, wanted: unknown): boolean {
  if (!isMap(wanted)) return canonicalize(value) === canonicalize(wanted);
  return (
    isMap(value) && Object.entries(wanted).every(([key, each]) => Object.hasOwn(value, key) && holds(value[key], each))
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Http = Extract<Check, { type: 'http' }>;

async function httpAnswers({ endpoint }: Instance, check: Http, signal: AbortSignal): Promise<void> {
  const base = endpoint.transport === 'stdio' ? 'http://127.0.0.1' : endpoint.address;
  const url = new URL(check.path, base);
  if (check.port !== undefined) url.port = String(check.port);
  // A redirect is an answer; following it could lead anywhere.
  const answer = await fetch(url, { redirect: 'manual', signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw failed('could not be reached', check, error);
  });
  await answer.body?.cancel();
  const { status } = answer;
  const good = check.status === undefined ? status >= 200 && status < 400 : status === check.status;
  if (!good) throw failed(`answered with status ${status}`, check);
}

type Exec = Extract<Check, { type: 'exec' }>;

async function programSucceeds(driver: Driver, { id }: Instance, check: Exec, signal: AbortSignal): Promise<void> {
  if (!driver.exec)
    throw new SlipwayError('invalid-value', `The driver ${driver.name} cannot run programs for a probe.`, {
      hint: 'Use another check: ping, tools, call or http.',
    });
  const { code, output } = await driver.exec(id, check.argv, signal);
  const said = output.trim() === '' ? '' : `: ${output.trim().slice(-200)}`;
  if (code !== 0) throw failed(`ended with exit code ${code}${said}`, check);
}

function failed(what: string, check: Check, cause?: unknown): SlipwayError {
  return new SlipwayError('not-ready', `The probe ${nameOf(check)} ${what}.`, cause === undefined ? {} : { cause });
}

function nameOf(check: Check): string {
  if (check.type === 'call') return `of the tool ${check.tool}`;
  if (check.type === 'http') return `GET ${check.path}`;
  return check.type === 'exec' ? (check.argv[0] ?? '') : check.type;
}
