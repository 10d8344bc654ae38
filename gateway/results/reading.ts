/** An agent reads on in what was split: a section of it, or where in it a text stands. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { PipelineInput } from '../../schemas/pipelines.ts';
import { traceServer } from '../audit/requests.ts';
import type { Target } from '../catalog.ts';
import type { Call } from '../era/era.ts';
import { withinSize } from '../limits/allowance.ts';
import { refused, spendOf } from '../limits/spend.ts';
import { brief, mistaken } from '../own/own-tool.ts';
import { openTo } from '../prompts/link-access.ts';
import type { RouteView } from '../route-view.ts';
import type { Json } from '../rpc/json.ts';
import { OWN } from './of-route.ts';
import { find } from './part.ts';
import type { Kept } from './sections.ts';
import { tableOf } from './toc.ts';

type Seen = Pick<RouteView, 'catalogs' | 'servers'>;

/**
 * A call of a tool, or for a prompt, that asks for a section of what it gave before. It is answered before anybody looks at its other
 * arguments, and nothing is sent to the server.
 * @param target whose results may have been split; without a server, one of the config's own Prompts
 * @returns `undefined` for any other call
 */
export function readOn(
  call: Call,
  args: unknown,
  { server, name, item }: Pick<Target, 'name'> & Partial<Target>,
  input: PipelineInput,
): Promise<Json> | undefined {
  const { _resultId: id, _section: section = '' } = (args ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || !call.caller.route.pipelines?.has(server?.name ?? OWN) || takes(item)) return undefined;
  // Its clients were promised another shape of results.
  if (isOnlyOurs(item))
    return Promise.resolve(mistaken(call, 'Sections of what this tool gave are read by get_section.'));
  return keptFor(call, id).then((kept) => {
    const isIts = kept?.server === (server?.name ?? OWN) && kept.name === name && kept.input === input;
    return answerWith(call, isIts && (server || mayReadOwn(call, kept)) ? kept : undefined, {
      id,
      section: textOf(section),
      input,
    });
  });
}

/** Whether the argument is the tool's own. */
function takes(item: Target['item'] | undefined): boolean {
  const schema = item?.['inputSchema'] as { properties?: object } | undefined;
  return schema?.properties !== undefined && Object.hasOwn(schema.properties, '_resultId');
}

/** Whether sections of what a tool gave cannot be had from the tool itself. */
export const isOnlyOurs = (item: Target['item'] | undefined): boolean =>
  takes(item) || item?.['outputSchema'] !== undefined;

/** A section, for whoever may call what gave it. */
export async function sectionOf(call: Call, view: Seen, id: string, section: string): Promise<Json> {
  const kept = await keptFor(call, id);
  return answerWith(call, kept && mayRead(call, view, kept) ? kept : undefined, { id, section, input: 'toolResult' });
}

/** @returns the answer made of it, or that there is none */
export async function withKept(
  call: Call,
  view: Seen,
  id: string,
  answer: (kept: Kept) => Promise<object>,
): Promise<Json> {
  const kept = await keptFor(call, id);
  if (!kept || !mayRead(call, view, kept)) return mistaken(call, unknown(id));
  return charged(call, kept, async () => ({ content: [{ type: 'text', text: JSON.stringify(await answer(kept)) }] }));
}

async function answerWith(
  call: Call,
  kept: Kept | undefined,
  { id, section, input }: { id: string; section: string; input: PipelineInput },
): Promise<Json> {
  const found = kept && find(kept.result, section);
  if (!kept || !found) {
    const problem = kept
      ? `There is no section ${brief(section)}: 1 to ${kept.result.parts?.length ?? 0}.`
      : unknown(id);
    if (input === 'prompt') throw new RpcFailure({ code: RPC.invalidParams, message: problem });
    return mistaken(call, problem);
  }
  const [number, part] = found;
  const reading = { resultId: kept.id, again: kept.again, section: number };
  const text = part.parts ? tableOf(part, reading) : (part.text ?? '');
  const block = { type: 'text', text };
  return charged(call, kept, async () =>
    input === 'prompt' ? { messages: [{ role: 'user', content: block }] } : { content: [block] },
  );
}

/** What an agent reads counts as what a call gives it, but as no call: the server does nothing. */
async function charged(call: Call, kept: Kept, answer: () => Promise<object>): Promise<Json> {
  // Nobody is asked for the config's own texts, so they count for nothing.
  if (kept.server === OWN) return call.encode(await answer());
  const { route, course } = call.caller;
  const server = route.servers.find(({ name }) => name === kept.server);
  if (!server) return mistaken(call, unknown(kept.id));
  traceServer(call.trace, server, kept.name);
  const spend = spendOf(call, server, kept.name);
  if (spend?.refusal) return refused(call, server, spend.refusal);
  const json = withinSize(call, server, course.result, call.encode(await answer()));
  return spend ? spend.answered(json) : json;
}

const keptFor = ({ caller }: Call, id: string): Promise<Kept | undefined> =>
  caller.state.sections.find(id, { principal: caller.identity.key, route: caller.route.path });

/** Rights may have been taken back since. */
function mayRead(call: Call, { servers, catalogs }: Seen, kept: Kept): boolean {
  const { server, name, input } = kept;
  if (server === OWN) return mayReadOwn(call, kept);
  return servers.some((one) => one.name === server) && (input === 'prompt' || !catalogs.tools.refuses(server, name));
}

/**
 * The config's Prompts are for all who use the route; but for links, which are for who may use their servers. What is no Prompt any
 * more may have been one of those; what a session proposed, and so cannot be got again, never was.
 */
function mayReadOwn({ caller }: Call, { name, again }: Kept): boolean {
  const prompt = caller.route.prompts?.get(name);
  if (!prompt) return again === undefined;
  const { link } = prompt.entry;
  return !link || openTo(caller, link) !== undefined;
}

const unknown = (id: string): string =>
  `There is no result ${brief(id, 40)}: results are kept for 5 minutes, for the one who asked. Call the tool again.`;

const textOf = (section: unknown): string =>
  typeof section === 'string' || typeof section === 'number' ? String(section) : '';
