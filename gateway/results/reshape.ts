/**
 * What a server answered, on its way to an agent. Texts go through the stages; pictures, sounds and resources pass as they are, and so do
 * failures. `structuredContent` is never reshaped: where a tool has an `outputSchema`, clients must get what it says (MCP, server/tools,
 * “Output Schema”). Without one it is a second copy of the text, as servers should send it, and is left out with the text it repeats.
 */
import { RpcFailure, type RpcError } from '../../schemas/jsonrpc.ts';
import { isRecord } from '../../schemas/record.ts';
import { redactValue } from '../../schemas/secret-shapes.ts';
import type { PipelineInput } from '../../schemas/pipelines.ts';
import type { Call } from '../era/era.ts';
import type { Bound } from '../limits/limiter.ts';
import { withinSize } from '../limits/allowance.ts';
import { whileWanted } from '../methods/while-wanted.ts';
import type { Json } from '../rpc/json.ts';
import type { Item } from '../upstream/listing.ts';
import type { Server } from '../upstream/server.ts';
import { told } from './events.ts';
import { OWN, type NamedPipeline } from './of-route.ts';
import { leavesOf, type Part } from './part.ts';
import { isOnlyOurs } from './reading.ts';
import { onThread, runStages, Withheld, type Work } from './run.ts';
import { tableOf } from './toc.ts';

/** What a tool began as a task, it answers later. */
const INPUTS: Readonly<Record<string, PipelineInput>> = {
  'tools/call': 'toolResult',
  'tasks/result': 'toolResult',
  'tasks/get': 'toolResult',
  'prompts/get': 'prompt',
};

/** What the answer to a request is to a pipeline; `undefined` for what does not go through it. */
export function inputOf({ appliesTo }: NamedPipeline, method: string): PipelineInput | undefined {
  const input = INPUTS[method];
  return input && appliesTo.includes(input) ? input : undefined;
}

type Fields = Record<string, unknown>;
/** A block of content; only texts are looked into. Some servers send what is none. */
type Block =
  | (Fields & { readonly type?: unknown; readonly text?: unknown; readonly annotations?: unknown })
  | null
  | undefined;

export interface Shape {
  readonly pipeline: NamedPipeline;
  readonly input: PipelineInput;
  /** The tool, or the prompt: the server's own name. */
  readonly name: string;
  /** How large the server's answer may be; that of the agent's is looked at again. */
  readonly limit: Bound | undefined;
  /** How long a call may take. Of a result's way to the agent it bounds each half: the server's, and this. */
  readonly timeout: Bound | undefined;
}

/** How long a result may be on its way through all stages, waiting for threads included (ms). */
const DEADLINE = 30_000;

/** @param answer a result, as the server gave it @returns what the client gets */
export async function shaped(
  call: Call,
  server: Server | undefined,
  { limit, ...shape }: Shape,
  answer: unknown,
): Promise<Json> {
  if (!isRecord(answer) || (answer['resultType'] ?? 'complete') !== 'complete') return call.encode(answer, server);
  if (limit && server) {
    const whole = call.encode(answer, server);
    const passed = withinSize(call, server, limit, whole);
    if (passed !== whole) return passed;
  }
  const { input } = shape;
  return working(call, server, shape, async (work) => {
    try {
      return call.encode(await (input === 'prompt' ? promptResult(work, answer) : toolResult(work, answer)), server);
    } catch (error) {
      if (!(error instanceof Withheld)) throw error;
      call.trace.toolFailed('withheld');
      return call.encode(withheld(input, error), server);
    }
  });
}

/** A refusal of the server, without what guards take out: what went wrong is often told with what it went wrong with. */
export function shapedRefusal(call: Call, server: Server, shape: Shape, refusal: RpcFailure): Promise<RpcFailure> {
  return working(call, server, shape, async (work) => {
    try {
      const { error } = await guarded(work, { error: refusal.error });
      return new RpcFailure(error as RpcError);
    } catch (error) {
      if (!(error instanceof Withheld)) throw error;
      return new RpcFailure({ code: refusal.error.code, message: `What went wrong was withheld: ${error.message}.` });
    }
  });
}

/** Ends when its client goes away or takes the call back, and nothing begins once its time is over. */
export function working<T>(
  call: Call,
  server: Server | undefined,
  { pipeline, input, name, timeout }: Omit<Shape, 'limit'>,
  run: (work: Work) => Promise<T>,
): Promise<T> {
  return whileWanted(call, (signal) => {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(Math.min(DEADLINE, timeout?.value ?? DEADLINE))]);
    return run({ call, server, pipeline, name, input, signal, inTime });
  });
}

function withheld(input: PipelineInput, { message }: Withheld): Fields {
  const block = {
    type: 'text',
    text: `The result of ${input === 'prompt' ? 'the prompt' : 'the tool'} was withheld: ${message}.`,
  };
  return input === 'prompt' ? { messages: [{ role: 'user', content: block }] } : { content: [block], isError: true };
}

/** Blocks of content, or messages, and whether stages saw them. */
interface Done {
  readonly blocks: readonly Block[];
  readonly isShaped: boolean;
}

async function toolResult(work: Work, answer: Fields): Promise<Fields> {
  const { content } = answer;
  if (!Array.isArray(content)) return guarded(work, answer);
  const runs = answer['isError'] === true ? content.map((block: Block) => [block]) : runsOf(content as Block[]);
  const done: Done[] = [];
  const before: string[] = [];
  for (const blocks of runs) {
    const text = answer['isError'] === true ? undefined : textOf(blocks);
    const isShaped = text !== undefined && isLong(text, work);
    const after = isShaped ? await textThrough(work, text) : undefined;
    if (after !== undefined && after !== text) before.push(text ?? '');
    done.push({ blocks: after === undefined || after === text ? blocks : [{ ...blocks[0], text: after }], isShaped });
  }
  return withOthers(work, withoutCopy(work, answer, before), 'content', done);
}

export async function promptResult(work: Work, answer: Fields): Promise<Fields> {
  const { messages } = answer;
  if (!Array.isArray(messages)) return guarded(work, answer);
  const done: Done[] = [];
  for (const message of messages as (Fields | null)[]) {
    const block = message?.['content'] as Block | undefined;
    const text = textOf([block]);
    const isShaped = text !== undefined && isLong(text, work);
    const blocks = isShaped ? { ...message, content: { ...block, text: await textThrough(work, text) } } : message;
    done.push({ blocks: [blocks as Block], isShaped });
  }
  return withOthers(work, answer, 'messages', done);
}

/** What went through the stages, with all else, each at its place again. */
async function withOthers(work: Work, answer: Fields, field: string, done: readonly Done[]): Promise<Fields> {
  const others = done.flatMap(({ blocks, isShaped }) => (isShaped ? [] : blocks));
  const rest = await guarded(work, { ...answer, [field]: others });
  const left = [...(rest[field] as Block[])];
  const all = done.flatMap(({ blocks, isShaped }) => (isShaped ? blocks : left.splice(0, blocks.length)));
  return { ...rest, [field]: all };
}

/** One text through all stages; what was split is kept, and becomes a table of contents. */
async function textThrough(work: Work, text: string): Promise<string> {
  const began = performance.now();
  const ended = (before: number, after: string, failed: readonly string[], sections = 0): void => {
    const why = failed.length > 0 ? 'error' : undefined;
    const more = { failed, sections };
    told(work, { kind: 'pipeline_execution', before, after: Buffer.byteLength(after), began, why, more });
  };
  const { result, whole, failed, bytesIn } = await runStages(work, text).catch((error: unknown) => {
    if (error instanceof Withheld) ended(error.bytesIn, '', ['redact']);
    throw error;
  });
  const after = result.parts && !work.pipeline.isWhole ? await tableFor(work, result, whole) : whole;
  ended(bytesIn, after, failed, result.parts ? [...leavesOf(result)].length : 0);
  return after;
}

async function tableFor(work: Work, result: Part, whole: string): Promise<string> {
  const { call, server, name, input } = work;
  const { identity, route, state } = call.caller;
  const again = isAgain(work) ? AGAIN[input] : undefined;
  const kept = { principal: identity.key, route: route.path, server: server?.name ?? OWN, name, input, again, result };
  const id = await state.sections.keep(kept).catch(() => undefined);
  if (id === undefined) return whole;
  const table = tableOf(result, { resultId: id, again, section: '' });
  // A table that is longer than what it is of saves nothing.
  return table.length < whole.length ? table : whole;
}

/** What a session proposed, `prompts/get` does not know yet. */
const isAgain = ({ call, server, name }: Work): boolean =>
  server ? !isOnlyOurs(toolOf(server, name)) : call.caller.route.prompts?.get(name) !== undefined;

const AGAIN: Readonly<Record<PipelineInput, string>> = {
  toolResult: 'calling the same tool',
  prompt: 'getting the same prompt',
};

/** A character has a byte at least, so most need not be counted. */
const isLong = (text: string, { pipeline: { minBytes } }: Work): boolean =>
  text.length >= minBytes || Buffer.byteLength(text) >= minBytes;

/** A guard looks at all that gets out, however small it is and whether it can be reshaped or not. @throws Withheld */
async function guarded(work: Work, value: Fields): Promise<Fields> {
  const guards = work.pipeline.stages.filter((stage) => stage.type === 'redact');
  if (guards.length === 0) return value;
  const patterns = guards.flatMap((guard) => guard.patterns);
  if (patterns.length === 0) return redactValue(value).value as Fields;
  try {
    return (await onThread(work, { patterns, value })) as Fields;
  } catch {
    throw new Withheld('its secrets could not be taken out');
  }
}

const toolOf = (server: Server, name: string): Item | undefined =>
  server.state('tools')?.items?.find((item) => item['name'] === name);

/** Without a copy of a text that an agent is to read in parts. Only where no schema promises it. */
function withoutCopy({ server, name }: Work, answer: Fields, texts: readonly string[]): Fields {
  const { structuredContent, ...rest } = answer;
  if (structuredContent === undefined || texts.length === 0) return answer;
  const tool = server && toolOf(server, name);
  if (!tool || tool['outputSchema'] !== undefined) return answer;
  const isCopy = (text: string): boolean => {
    const indent = /^[[{]\n( {1,8})\S/.exec(text)?.[1];
    return JSON.stringify(structuredContent, undefined, indent) === text;
  };
  return texts.some(isCopy) ? rest : answer;
}

/** Texts that follow one another and are meant for the same are one text, in however many blocks a server sends it. */
function runsOf(content: readonly Block[]): Block[][] {
  const runs: Block[][] = [];
  for (const block of content) {
    const [first] = runs.at(-1) ?? [];
    if (first && isText(first) && isText(block) && meantFor(first) === meantFor(block)) runs.at(-1)?.push(block);
    else runs.push([block]);
  }
  return runs;
}

const isText = (block: Block): boolean => block?.type === 'text' && typeof block.text === 'string';
const meantFor = (block: Block): string => JSON.stringify(block?.annotations) ?? '';
const textOf = (blocks: readonly Block[]): string | undefined =>
  isText(blocks[0]) ? blocks.map((block) => block?.text).join('\n') : undefined;
