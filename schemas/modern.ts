/**
 * What MCP 2026-07-28 adds to a message: the request's own metadata, and the headers that mirror a body over HTTP
 * (https://modelcontextprotocol.io/specification/2026-07-28, basic/index and basic/transports/streamable-http). Pure.
 */
import type { RpcError } from './jsonrpc.ts';

/** The revision without `initialize` that Slipway speaks. */
export const MODERN_VERSION = '2026-07-28';

const PREFIX = 'io.modelcontextprotocol/';
/** Keys of `_meta` that belong to the protocol, not to who calls. */
export const META = {
  version: `${PREFIX}protocolVersion`,
  clientInfo: `${PREFIX}clientInfo`,
  capabilities: `${PREFIX}clientCapabilities`,
  logLevel: `${PREFIX}logLevel`,
  subscription: `${PREFIX}subscriptionId`,
  serverInfo: `${PREFIX}serverInfo`,
} as const;

/** The extension that tasks are in this revision. */
export const TASKS = `${PREFIX}tasks`;

export const MODERN_RPC = {
  headerMismatch: -32_020,
  missingCapability: -32_021,
  unsupportedVersion: -32_022,
} as const;

/** Whether only a server that speaks a modern revision answers like this. */
export function isModernError({ code }: RpcError): boolean {
  return (Object.values(MODERN_RPC) as number[]).includes(code);
}

/** Whether a server that refused a version says that it speaks ours: it is to be asked again, not the old way. */
export function offersOurs({ code, data }: RpcError): boolean {
  const { supported } = (data ?? {}) as { supported?: unknown };
  return code === MODERN_RPC.unsupportedVersion && Array.isArray(supported) && supported.includes(MODERN_VERSION);
}

/** Who a request is made for, as each request says anew. */
export interface Introduction {
  readonly clientInfo: unknown;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly logLevel?: string | undefined;
}

type Params = Record<string, unknown>;

export function introduced(params: Params | undefined, { clientInfo, capabilities, logLevel }: Introduction): Params {
  const meta = {
    ...(params?.['_meta'] as object | undefined),
    [META.version]: MODERN_VERSION,
    [META.clientInfo]: clientInfo,
    [META.capabilities]: capabilities,
    ...(logLevel === undefined ? {} : { [META.logLevel]: logLevel }),
  };
  return { ...params, _meta: meta };
}

/** Where the name stands that `Mcp-Name` repeats. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/** What `Mcp-Name` must say; `undefined` where there is none. */
export function nameIn(method: string, params: Params | undefined): unknown {
  const field = NAMES.get(method);
  return field === undefined ? undefined : params?.[field];
}

/** The headers that a request over HTTP needs. */
export function headersFor(method: string, params: Params | undefined): Record<string, string> {
  const name = nameIn(method, params);
  return {
    'MCP-Protocol-Version': MODERN_VERSION,
    'Mcp-Method': method,
    ...(typeof name === 'string' ? { 'Mcp-Name': toHeader(name) } : {}),
  };
}

const PLAIN = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
const WRAPPED = /^=\?base64\?(.*)\?=$/;

/** Header injection: what is not plain ASCII, or could be taken for the encoding, is encoded. */
export function toHeader(value: string): string {
  if (PLAIN.test(value) && !WRAPPED.test(value)) return value;
  return `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;
}

/** @returns `undefined` for what nobody may send */
export function fromHeader(value: string): string | undefined {
  const wrapped = WRAPPED.exec(value)?.[1];
  if (wrapped === undefined) return /^[\t\x20-\x7e]*$/.test(value) ? value : undefined;
  const bytes = Buffer.from(wrapped, 'base64');
  // Two readings of one value: what is not the one way to write these bytes is refused.
  return bytes.toString('base64') === wrapped ? bytes.toString('utf8') : undefined;
}

/** Revisions up to 2025-11-25 begin with `initialize` and remember it; those since do neither. */
export type Era = 'legacy' | 'modern';

/** A server's answer to `server/discover`. */
export interface Discovered {
  readonly supportedVersions: readonly string[];
  readonly capabilities?: Readonly<Record<string, unknown>>;
  readonly instructions?: string;
}

/** Whether an answer to `server/discover` says that we can talk like that. */
export function isDiscovered(result: unknown): result is Discovered {
  const { supportedVersions } = (result ?? {}) as { supportedVersions?: unknown };
  return Array.isArray(supportedVersions) && supportedVersions.includes(MODERN_VERSION);
}

/** The parameters of a probe, and of whatever Slipway asks for itself. */
export function ourselves(version: string, params?: Params): Params {
  return introduced(params, { clientInfo: { name: 'slipway', version }, capabilities: {} });
}
