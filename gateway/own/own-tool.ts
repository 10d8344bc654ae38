/** A tool of the gateway's own, beside those of servers or in their place. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Route } from '../../schemas/snapshot.ts';
import type { Call } from '../era/era.ts';
import type { Plugged } from '../plugins/tools.ts';
import type { RouteView } from '../route-view.ts';
import type { Json } from '../rpc/json.ts';
import type { Item } from '../upstream/listing.ts';

/** What a client gave a tool. */
export type Args = Readonly<Record<string, unknown>>;

/** The route that it is a tool of. */
export interface Front {
  /** What its caller sees of it. */
  readonly view: Pick<RouteView, 'catalogs' | 'servers' | 'closed' | 'pipelines'>;
  /** What its plugin brings, as its caller sees that; absent for one that brings nothing. */
  readonly plugged?: Plugged | undefined;
  /** What the config says of it. */
  readonly route: Route;
}

export interface OwnTool {
  readonly name: string;
  /** True for one that can be called, and is listed by whoever needs it. */
  readonly isUnlisted?: true;
  /** As `tools/list` gives it. */
  define(front: Front): Item;
  /** @throws as `tools/call` does */
  run(call: Call, args: Args, front: Front): Promise<Json>;
}

/** A result that is data. Compact: each character costs the model. */
export function answered(call: Call, value: unknown): Json {
  return call.encode({ content: [{ type: 'text', text: JSON.stringify(value) }] });
}

/** What is wrong with a call, as a failure of the tool: a model reads it and does better. */
export function mistaken(call: Call, text: string): Json {
  call.trace.toolFailed('invalid_arguments');
  return call.encode({ content: [{ type: 'text', text }], isError: true });
}

/** The object that a call came with. @throws RpcFailure invalid params for anything else */
export function argsOf({ request }: Call): Args {
  const args = request.params?.['arguments'] ?? {};
  if (typeof args === 'object' && !Array.isArray(args)) return args as Args;
  throw new RpcFailure({ code: RPC.invalidParams, message: 'arguments must be an object' });
}

/** A text, whatever name a model gave it. */
export function textAt(args: Args, ...names: readonly string[]): string | undefined {
  for (const name of names) if (typeof args[name] === 'string' && args[name] !== '') return args[name];
  return undefined;
}

/** One text or several. */
export function textsAt(args: Args, ...names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = args[name];
    if (typeof value === 'string') return value === '' ? [] : [value];
    return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
  });
}

/**
 * What is to be passed on. A wrapper nests arguments one level deeper, which models forget: then it is all that is left, or a
 * text that holds it.
 * @param names of the argument that should hold it, the right one first @param own those that are the wrapper's
 */
export function innerOf(args: Args, names: readonly string[], own: readonly string[]): Args | string {
  const name = names.find((one) => args[one] !== undefined);
  if (name === undefined)
    return Object.fromEntries(Object.entries(args).filter(([key]) => !own.includes(key) && !names.includes(key)));
  const given = args[name];
  const value = typeof given === 'string' ? parsed(given) : given;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Args;
  return `${name} must be an object.`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The first line, and not too much of it (characters). */
export function brief(text: unknown, most = 160): string {
  const line = typeof text === 'string' ? (text.trim().split(/\r?\n/, 1)[0] ?? '') : '';
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}
