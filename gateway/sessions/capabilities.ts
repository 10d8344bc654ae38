/** What clients can be asked, and how a question that one cannot take is refused. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';

/** All that a later question may depend on; a session id stays short whatever else its client claims. */
const KNOWN = ['roots', 'sampling', 'sampling.tools', 'elicitation', 'elicitation.form', 'elicitation.url'];

/** `sampling` and `sampling.tools` for `{ sampling: { tools: {} } }`. Elicitation as such means forms. */
export function namesOf(capabilities: unknown): string[] {
  const claimed = Object.entries((capabilities ?? {}) as object).flatMap(([name, value]) => {
    const parts = Object.keys((value ?? {}) as object);
    const implied = name === 'elicitation' && parts.length === 0 ? ['form'] : parts;
    return [name, ...implied.map((part) => `${name}.${part}`)];
  });
  return KNOWN.filter((name) => claimed.includes(name));
}

/** The way back, as MCP's ClientCapabilities. */
export function capabilitiesFrom(names: readonly string[]): Record<string, Record<string, object>> {
  const capabilities: Record<string, Record<string, object>> = {};
  for (const name of names) {
    const [outer = '', inner] = name.split('.');
    const group = (capabilities[outer] ??= {});
    if (inner !== undefined) group[inner] = {};
  }
  return capabilities;
}

/** What a client must have said it can do to be asked this; the second is a matter of its parameters. */
type Needs = (params: Record<string, unknown>) => readonly string[];
const NEEDS: ReadonlyMap<string, Needs> = new Map<string, Needs>([
  ['roots/list', () => ['roots']],
  ['sampling/createMessage', (params) => ['sampling', ...('tools' in params ? ['sampling.tools'] : [])]],
  [
    'elicitation/create',
    (params) => ['elicitation', params['mode'] === 'url' ? 'elicitation.url' : 'elicitation.form'],
  ],
]);

/** Refuses what the client would refuse, in the words of the specification. @throws RpcFailure */
export function checkCapabilities(declared: readonly string[], method: string, params: Record<string, unknown>): void {
  const needs = NEEDS.get(method)?.(params);
  const [first] = needs ?? [];
  if (!needs || first === undefined)
    throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${method}` });
  if (!declared.includes(first))
    throw new RpcFailure({ code: RPC.methodNotFound, message: `The client does not support ${first}` });
  const missing = needs.find((need) => !declared.includes(need));
  if (missing !== undefined)
    throw new RpcFailure({ code: RPC.invalidParams, message: `The client does not support ${missing}` });
}
