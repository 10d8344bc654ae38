/** What “ready” means: the MCP handshake works, the tools can be listed, and the probes for it, if there are any, pass. */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { rounded } from '../../schemas/exact-json.ts';
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Channel, Connection } from '../../schemas/peer.ts';
import { toolSchema, type Tool } from '../../schemas/snapshot.ts';
import type { Readiness } from '../applied.ts';
import { pause, untilAborted } from '../async.ts';
import type { Driver, Instance } from '../drivers/driver.ts';
import type { Probe, Workload } from '../workload.ts';
import { runProbe, type Patient } from './check.ts';
import { converse } from './converse.ts';

/** A server that pages for ever must not hold a rollout for ever. */
const MAX_PAGES = 100;
/** Between two attempts of a readiness probe in a rollout. */
const AGAIN_MS = 1000;

export interface Candidate {
  readonly driver: Driver;
  readonly instance: Instance;
  readonly workload: Workload;
  /** Of Slipway, for `clientInfo`. */
  readonly version: string;
}

/** @throws SlipwayError not-ready (or what the driver knows better), when it is not ready within `rollout.timeoutMs` */
export async function waitReady(candidate: Candidate, signal: AbortSignal): Promise<Readiness> {
  const { driver, instance, workload } = candidate;
  const limit = AbortSignal.timeout(workload.rollout.timeoutMs);
  const both = AbortSignal.any([signal, limit]);
  try {
    const local = driver.connect?.(instance.id, {});
    return await untilAborted(local ? inspect(local, candidate, both) : inspectHttp(candidate, both), both);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (limit.aborted)
      throw new SlipwayError('not-ready', `It was not ready within ${workload.rollout.timeoutMs / 1000} s.`);
    if (error instanceof RpcFailure) {
      const said = driver.mask?.(instance.id, error.message) ?? error.message;
      throw new SlipwayError('not-ready', `It answered with an error: ${said}`);
    }
    throw toSlipwayError(error, 'not-ready');
  }
}

async function inspect(connection: Connection, candidate: Candidate, signal: AbortSignal): Promise<Readiness> {
  const { workload, version } = candidate;
  try {
    const { channel, said } = await converse(connection, version, signal);
    const { era, instructions, capabilities = {} } = said;
    const tools = capabilities['tools'] === undefined ? [] : await listTools(channel, signal);
    await passProbes(candidate, channel, signal);
    return { hash: workload.hash, era, tools, capabilities, ...(instructions === undefined ? {} : { instructions }) };
  } finally {
    connection.close();
  }
}

async function listTools(channel: Channel, signal: AbortSignal): Promise<Tool[]> {
  const tools: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const result = (await channel.request('tools/list', params, { signal })) as {
      tools?: unknown;
      nextCursor?: string;
    };
    for (const tool of Array.isArray(result.tools) ? result.tools : [undefined]) tools.push(checked(tool));
    cursor = result.nextCursor;
    if (cursor === undefined) return rounded(tools) as Tool[];
  }
  throw new SlipwayError('not-ready', `Its list of tools has more than ${MAX_PAGES} pages.`);
}

/** One tool that is none would break every list that it ends up in. */
function checked(tool: unknown): Tool {
  const parsed = toolSchema.safeParse(tool);
  if (!parsed.success)
    throw new SlipwayError('not-ready', 'Its list of tools holds something that is no tool with a name.');
  return parsed.data;
}

/** Startup has as many attempts as it says, at its own pace; readiness too, but nobody waits for its interval here. */
async function passProbes({ driver, instance, workload }: Candidate, channel: Channel, signal: AbortSignal) {
  const { startup, readiness } = workload.probes ?? {};
  const patient = { driver, instance, channel: async () => channel };
  if (startup) await pass(startup, startup.intervalMs, patient, signal);
  if (readiness) await pass(readiness, Math.min(readiness.intervalMs, AGAIN_MS), patient, signal);
}

async function pass(probe: Probe, pauseMs: number, patient: Patient, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runProbe(probe, patient, signal);
    } catch (error) {
      const known = toSlipwayError(error, 'not-ready');
      // What cannot work will not work the next time either.
      if (known.code !== 'not-ready' || attempt >= probe.failures || signal.aborted) throw known;
      await pause(pauseMs, signal);
    }
  }
}

/** Over HTTP there is no event for “it listens now”, so it is asked again until it does or the time is up. */
async function inspectHttp(candidate: Candidate, signal: AbortSignal): Promise<Readiness> {
  const { connectHttp } = await import('./http.ts');
  const { endpoint } = candidate.instance;
  for (let wait = 20; ; wait = Math.min(wait * 1.5, 500)) {
    using stop = new DisposableStack();
    const attempt = stop.adopt(new AbortController(), (controller) => controller.abort());
    const both = AbortSignal.any([signal, attempt.signal]);
    const answer = connectHttp(endpoint, candidate.version, both).catch(() => undefined);
    // An address that nobody has any more keeps a connection waiting for long.
    const connection = await Promise.race([answer, crash(candidate, both)]);
    if (connection) return await inspect(connection, candidate, signal);
    await pause(wait, signal);
  }
}

/** How often it is looked whether an instance still runs while it is asked. */
const LOOK_MS = 250;

/** Never resolves. @throws SlipwayError start-failed once the instance crashed; the signal's reason */
async function crash({ driver, instance }: Candidate, signal: AbortSignal): Promise<never> {
  for (;;) {
    const now = (await driver.list(signal)).find(({ id }) => id === instance.id);
    if (now?.state === 'crashed')
      throw new SlipwayError('start-failed', `The server ended before it was ready: ${now.lastError ?? 'unknown'}.`);
    await pause(LOOK_MS, signal);
  }
}
