/** Hands the Prompts that fit to a session: those in full that its budget allows, of the others a line each. */
import type { AuditKind } from '../../schemas/audit.ts';
import type { Call } from '../era/era.ts';
import type { Caller } from '../exchange.ts';
import { wordsOf } from '../prompts/digest.ts';
import type { Text } from '../prompts/links.ts';
import { proposedBy, type Prompt, type Prompts } from '../prompts/prompts.ts';
import { chosenByModel } from './choose.ts';
import { OWN } from '../results/of-route.ts';
import { shapedTexts } from '../results/config-texts.ts';
import { passOf } from './passed.ts';
import { fitting, isWanted, matchesOf, ranked, type Scored } from './score.ts';
import { deliveredText, type Entry } from './words.ts';

/** What a session is about, as it says itself. */
export interface Topic {
  readonly tags: readonly string[];
  readonly description?: string | undefined;
}

export type Candidate = Entry & {
  readonly name: string;
  readonly priority: number;
  readonly words: ReadonlySet<string>;
};

/** Links that are read at a time, and for one answer. */
const MAX_LINKS = 16;

/** The Prompts of the route, and what this caller proposed. */
export function promptsFor({ caller, trace }: Call, prompts: Prompts | undefined): readonly Prompt[] {
  const proposed = caller.state.prompts.passed.proposed(passOf(caller, trace.session));
  return [...(prompts?.all ?? []), ...proposedBy(proposed, prompts)];
}

export function entriesOf(
  { state, route }: Pick<Caller, 'state' | 'route'>,
  prompts: readonly Prompt[],
): Promise<Entry[]> {
  return Promise.all(
    prompts.map(async (prompt) => ({ prompt, digest: await state.prompts.digests.of(prompt, route.llm) })),
  );
}

export interface Delivery {
  readonly prompts: Prompts | undefined;
  /** Bytes of UTF-8 for those of which the priority is below 10. */
  readonly budget: number;
  /** Whether a model says which fit. */
  readonly byModel: boolean;
  /** What is said at the end. */
  readonly word: string;
}

/** @returns the words for the session */
export async function deliver(call: Call, topic: Topic, { prompts, budget, byModel, word }: Delivery): Promise<string> {
  const entries = await entriesOf(call.caller, promptsFor(call, prompts));
  const candidates = entries.map((entry): Candidate => {
    const { prompt, digest } = entry;
    return { ...entry, name: prompt.name, priority: prompt.entry.priority, words: wordsOf(prompt, digest) };
  });
  const chosen = byModel ? await chosenByModel(call, topic, candidates) : undefined;
  const matches = ({ name, words }: Candidate): number =>
    chosen ? Number(chosen.has(name)) : matchesOf(topic.tags, words);
  const all = ranked(candidates, matches);
  const wanted = all.filter(isWanted);
  const texts = await textsOf(call, wanted);
  const { full, rest } = fitting(wanted, budget, ({ name }) => sizeOf(texts.get(name)));
  const others = new Set(rest);
  const given = full.map((one) => ({ prompt: one.prompt, text: textIn(texts.get(one.name)) }));
  record(call, 'prompt_delivery', {
    prompts: given.map(({ prompt }) => prompt.name),
    overflow: rest.length,
    bytes: given.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
    by: chosen ? 'model' : 'tags',
    tags: topic.tags.length,
  });
  return deliveredText({
    full: given,
    rest: all
      .filter((one) => others.has(one) || !isWanted(one))
      .map((one) => ({ ...one, problem: problemIn(texts.get(one.name)) })),
    word,
  });
}

async function textsOf(call: Call, wanted: readonly Scored<Candidate>[]): Promise<ReadonlyMap<string, Text>> {
  const { links } = call.caller.state.prompts;
  const linked = wanted.filter(({ prompt }) => prompt.entry.link).slice(0, MAX_LINKS);
  const read = wanted.map(async (one): Promise<[string, Text]> => {
    const isLeft = one.prompt.entry.link !== undefined && !linked.includes(one);
    return [one.name, isLeft ? { problem: 'too many others were read' } : await links.read(call, one.prompt)];
  });
  return inShape(call, new Map(await Promise.all(read)));
}

/** What is long comes as a table of its sections, where the route has a pipeline for prompts: it takes less of the budget, too. */
async function inShape(call: Call, texts: ReadonlyMap<string, Text>): Promise<ReadonlyMap<string, Text>> {
  const pipeline = call.caller.route.pipelines?.get(OWN);
  if (!pipeline) return texts;
  const whole = [...texts].flatMap(([name, text]): [string, string][] => ('text' in text ? [[name, text.text]] : []));
  return new Map([...texts, ...(await shapedTexts(call, pipeline, new Map(whole)))]);
}

const sizeOf = (text: Text | undefined): number | undefined =>
  text && 'text' in text ? Buffer.byteLength(text.text) : undefined;
const textIn = (text: Text | undefined): string => (text && 'text' in text ? text.text : '');
const problemIn = (text: Text | undefined): string | undefined =>
  text && 'problem' in text ? text.problem : undefined;

/** An event besides that of the request. Names and numbers: what a text says, and what was looked for, is nobody else's. */
export function record(call: Call, kind: AuditKind, detail: Readonly<Record<string, unknown>>): void {
  const { trace, caller } = call;
  caller.state.audit.record({
    at: Date.now(),
    kind,
    source: 'gateway',
    outcome: 'ok',
    requestId: trace.requestId,
    correlationId: trace.correlationId,
    principal: trace.principal,
    session: trace.session,
    project: caller.route.project,
    method: 'tools/call',
    allowed: true,
    commit: caller.generation.snapshot.commit,
    detail,
  });
}
