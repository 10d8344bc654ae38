/** Reads a request of MCP 2026-07-28: what it says of its caller, and whether its headers say the same as its body. */
import type { IncomingHttpHeaders } from 'node:http';
import { RPC, RpcFailure, type RpcMessage, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { isInexact, mirrored, mirrorsOf, type Mirror } from '../../schemas/mirror.ts';
import { fromHeader, META, MODERN_RPC, MODERN_VERSION, nameIn } from '../../schemas/modern.ts';
import { isRecord } from '../../schemas/record.ts';
import { SUPPORTED_VERSIONS } from '../methods/discover.ts';
import { namesOf } from '../sessions/capabilities.ts';
import { isLevel } from '../sessions/levels.ts';
import type { Item } from '../upstream/listing.ts';

/** Who asks, as the request itself says. */
export interface Asker {
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** The same as names, for what a question needs. */
  readonly declared: readonly string[];
  readonly info: unknown;
  readonly logLevel: string | undefined;
}

/** What a retry brings along, besides the parameters of the request it repeats. */
export interface Retry {
  readonly requestState: unknown;
  readonly inputResponses: unknown;
}

type Params = Record<string, unknown>;

/** Whether a message is to be read as modern: by its own word, or by its header's. */
export function isModern({ 'mcp-protocol-version': header }: IncomingHttpHeaders, message: RpcMessage): boolean {
  return (
    header === MODERN_VERSION || metaOf('params' in message ? message.params : undefined)?.[META.version] !== undefined
  );
}

/**
 * Header/body mismatch: whatever stands before this gateway has routed, limited or let pass by the headers, so a body
 * that says something else would go past it.
 *
 * Takes what is the protocol's out of the parameters, so that they are the same whatever era they came in.
 * @throws RpcFailure for metadata that is missing, another version, or a header that says something else
 */
export function readAsker(
  headers: IncomingHttpHeaders,
  { method, params = {} }: RpcRequest,
): { asker: Asker; params: Params; retry: Retry } {
  const { _meta, requestState, inputResponses, ...rest } = params;
  const meta = metaOf(params);
  if (!meta) throw new Malformed('The request has no _meta');
  const {
    [META.version]: version,
    [META.capabilities]: capabilities,
    [META.clientInfo]: info,
    [META.logLevel]: logLevel,
    ...others
  } = meta;
  if (typeof version !== 'string') throw new Malformed(`_meta lacks ${META.version}`);
  if (headers['mcp-protocol-version'] !== version) throw mismatch('mcp-protocol-version');
  if (version !== MODERN_VERSION)
    throw new RpcFailure({
      code: MODERN_RPC.unsupportedVersion,
      message: 'Unsupported protocol version',
      data: { supported: SUPPORTED_VERSIONS, requested: version },
    });
  if (!isRecord(capabilities)) throw new Malformed(`_meta lacks ${META.capabilities}`);
  if (logLevel !== undefined && !isLevel(logLevel))
    throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown log level' });
  if (headers['mcp-method'] !== method) throw mismatch('mcp-method');
  const name = nameIn(method, params);
  if (typeof name === 'string' && decoded(headers, 'mcp-name') !== name) throw mismatch('mcp-name');
  return {
    asker: { capabilities, declared: namesOf(capabilities), info, logLevel },
    params: Object.keys(others).length > 0 ? { ...rest, _meta: others } : rest,
    retry: { requestState, inputResponses },
  };
}

/** Cached: a schema is walked once, however often its tool is called. */
const mirrors = new WeakMap<Item, readonly Mirror[]>();

/** Header/body mismatch in a tool's own headers (`x-mcp-header`). @throws RpcFailure */
export function checkMirrors(headers: IncomingHttpHeaders, tool: Item, args: unknown): void {
  let known = mirrors.get(tool);
  if (!known) {
    const found = mirrorsOf(tool['inputSchema']);
    mirrors.set(tool, (known = typeof found === 'string' ? [] : found));
  }
  for (const mirror of known) {
    const expected = mirrored(mirror, args);
    const said = decoded(headers, mirror.header);
    const same = said === expected || (mirror.integer && sameInteger(said, expected));
    if (!same || isInexact(mirror, args)) throw mismatch(mirror.header);
  }
}

/** `42.0` is `42`, as the specification has it; what other parsers may read as another number (`0x2a`, ``, `4.2e1`) is neither. */
const DECIMAL = /^-?(?:0|[1-9][0-9]{0,15})(?:\.0{1,15})?$/;

function sameInteger(said: string | undefined, expected: string | undefined): boolean {
  return said !== undefined && DECIMAL.test(said) && Number(said) === Number(expected);
}

/** `undefined` without the header; NaN-like for one that nobody may send: it equals nothing. */
function decoded(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  return (typeof value === 'string' ? fromHeader(value) : undefined) ?? '\0';
}

function mismatch(name: string): RpcFailure {
  return new RpcFailure({
    code: MODERN_RPC.headerMismatch,
    message: `Header mismatch: ${name} is not what the body says`,
  });
}

/** A request that lacks what every request must say. */
export class Malformed extends RpcFailure {
  constructor(message: string) {
    super({ code: RPC.invalidParams, message });
  }
}

function metaOf(params: Params | undefined): Params | undefined {
  const meta = params?.['_meta'];
  return isRecord(meta) ? meta : undefined;
}
