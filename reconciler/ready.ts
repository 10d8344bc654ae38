/** What “ready” means: the MCP handshake works, the tools can be listed, and the probe, if there is one, passes. */
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import { LEGACY_VERSIONS, RpcFailure } from '../schemas/jsonrpc.ts';
import { isDiscovered, ourselves, type Era } from '../schemas/modern.ts';
import type { Connection } from '../schemas/peer.ts';
import { toolSchema, type Tool } from '../schemas/snapshot.ts';
import type { Readiness } from './applied.ts';
import { pause, untilAborted } from './async.ts';
import type { Driver, Instance } from './drivers/driver.ts';
import type { Workload } from './workload.ts';

/** A server that pages for ever must not hold a rollout for ever. */
const MAX_PAGES = 100;

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

interface Introduced {
  readonly era: Era;
  readonly instructions?: string;
  readonly capabilities?: Readonly<Record<string, unknown>>;
}

type Ask = (method: string, params: Record<string, unknown>) => Promise<unknown>;

async function inspect(connection: Connection, candidate: Candidate, signal: AbortSignal): Promise<Readiness> {
  const { workload, version } = candidate;
  try {
    const { era, instructions, capabilities = {} } = await introduce(connection, version, signal);
    const ask: Ask = (method, params) =>
      connection.request(method, era === 'modern' ? ourselves(version, params) : params, { signal });
    const tools = capabilities['tools'] === undefined ? [] : await listTools(ask);
    await probe(ask, workload);
    return { hash: workload.hash, era, tools, capabilities, ...(instructions === undefined ? {} : { instructions }) };
  } finally {
    connection.close();
  }
}

/** What a server says of itself, in whichever era it says it. */
async function introduce(connection: Connection, version: string, signal: AbortSignal): Promise<Introduced> {
  const found = await connection.request('server/discover', ourselves(version), { signal }).catch((error: unknown) => {
    if (!(error instanceof RpcFailure)) throw error;
  });
  if (isDiscovered(found)) return { ...found, era: 'modern' };
  const params = { protocolVersion: LEGACY_VERSIONS[0], capabilities: {}, clientInfo: { name: 'slipway', version } };
  const initialized = (await connection.request('initialize', params, { signal })) as Omit<Introduced, 'era'>;
  connection.notify('notifications/initialized');
  return { ...initialized, era: 'legacy' };
}

async function listTools(ask: Ask): Promise<Tool[]> {
  const tools: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const result = (await ask('tools/list', params)) as {
      tools?: unknown;
      nextCursor?: string;
    };
    for (const tool of Array.isArray(result.tools) ? result.tools : [undefined]) tools.push(checked(tool));
    cursor = result.nextCursor;
    if (cursor === undefined) return tools;
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

async function probe(ask: Ask, workload: Workload): Promise<void> {
  if (!workload.probe) return;
  const { tool, arguments: args } = workload.probe;
  const result = (await ask('tools/call', { name: tool, arguments: args })) as {
    isError?: boolean;
  };
  if (result.isError) throw new SlipwayError('not-ready', `The probe's tool ${tool} answered with an error.`);
}

/** Over HTTP there is no event for “it listens now”, so it is asked again until it does or the time is up. */
async function inspectHttp(candidate: Candidate, signal: AbortSignal): Promise<Readiness> {
  const { connectHttp } = await import('./ready-http.ts');
  const { endpoint } = candidate.instance;
  for (let wait = 20; ; wait = Math.min(wait * 1.5, 500)) {
    signal.throwIfAborted();
    await failIfCrashed(candidate, signal);
    const connection = await connectHttp(endpoint, candidate.version, signal).catch(() => undefined);
    if (connection) return await inspect(connection, candidate, signal);
    await pause(wait, signal);
  }
}

async function failIfCrashed({ driver, instance }: Candidate, signal: AbortSignal): Promise<void> {
  const now = (await driver.list(signal)).find(({ id }) => id === instance.id);
  if (now?.state === 'crashed')
    throw new SlipwayError('start-failed', `The server ended before it was ready: ${now.lastError ?? 'unknown'}.`);
}
