/** A text on its way through the stages of a pipeline. One that fails leaves the text as it was; each is told to the audit log. */
import type { PipelineInput, StageEntry } from '../../schemas/pipelines.ts';
import { CodeDesk } from '../code/desk.ts';
import { oneLine } from '../code/line.ts';
import type { Call } from '../era/era.ts';
import type { Server } from '../upstream/server.ts';
import { TaskLost } from '../workers.ts';
import { told } from './events.ts';
import { asked } from './model.ts';
import type { NamedPipeline } from './of-route.ts';
import { bytesOf, leavesOf, lengthOf, type Part } from './part.ts';
import { applyStage, type About, type StageOf } from './stages.ts';
import type { ResultWork } from './thread.ts';

/** What is small is done at once (characters): to hand it to a thread would take longer. */
const SMALL = 16 * 1024;
/** How long a stage may take on a thread (ms); a guard: its patterns are others’ (ReDoS). What one may take besides its own limit. */
const STAGE_TIMEOUT = 10_000;
const GUARD_TIMEOUT = 2_000;
const AROUND = 2_000;
/** To begin with custom code once more (ms). */
const WORLD = 60;

/** What a sandbox says of code that went beyond its limits. */
const LIMITS: ReadonlyMap<string, string> = new Map([
  ['cpu', 'time'],
  ['stuck', 'time'],
  ['memory', 'memory'],
]);

/** Stages that change no text. */
const SPLITS: readonly StageEntry['type'][] = ['passthrough', 'paginate', 'section-split', 'summarize-tree'];

/** What goes through a pipeline, and for whom. */
export interface Work {
  readonly call: Call;
  /** Absent for the config's own Prompts. */
  readonly server: Server | undefined;
  readonly pipeline: NamedPipeline;
  /** The tool, or the prompt: the server's own name. */
  readonly name: string;
  readonly input: PipelineInput;
  /** Its client is there, and still wants it. */
  readonly signal: AbortSignal;
  /** The same, and its time is not over. */
  readonly inTime: AbortSignal;
}

/** Secrets could not be taken out, so nothing may get out. */
export class Withheld extends Error {
  readonly bytesIn: number;

  constructor(message: string, bytesIn = 0) {
    super(message);
    this.bytesIn = bytesIn;
  }
}

export interface Outcome {
  readonly result: Part;
  /** The same in one piece. */
  readonly whole: string;
  /** Names of stages that failed. */
  readonly failed: readonly string[];
  readonly bytesIn: number;
}

/** @throws Withheld; the signal's reason */
export async function runStages(work: Work, text: string): Promise<Outcome> {
  let result: Part = { title: '', text };
  let whole = text;
  // What code is told it was: nothing that a guard took out.
  let original = text;
  const failed: string[] = [];
  // To count them takes a while, so none are counted twice.
  let bytes = Buffer.byteLength(text);
  const bytesIn = bytes;
  for (const stage of work.pipeline.stages) {
    const began = performance.now();
    const before = { result, bytes };
    let why: string | undefined;
    try {
      result = await asked(work, stage, await applied(work, stage, result, original));
    } catch (error) {
      work.signal.throwIfAborted();
      why = whyOf(error);
    }
    if (result !== before.result) bytes = bytesOf(result);
    told(work, { kind: 'stage_execution', stage: stage.type, before: before.bytes, after: bytes, began, why });
    if (why !== undefined) failed.push(stage.type);
    // Data leak: what a guard did not look at, nobody gets.
    if (why !== undefined && stage.type === 'redact')
      throw new Withheld(`its secrets could not be taken out (${why})`, bytesIn);
    if (!result.parts) whole = result.text ?? '';
    else if (result !== before.result && !SPLITS.includes(stage.type))
      whole = [...leavesOf(result)].map((leaf) => leaf.text).join('\n\n');
    if (stage.type === 'redact') original = whole;
  }
  return { result, whole, failed, bytesIn };
}

/** Here where it takes no time, on a thread otherwise: what others wrote always there, and their patterns too. */
async function applied(work: Work, stage: StageEntry, result: Part, original: string): Promise<Part> {
  const { call, server } = work;
  const about: About = {
    sourceName: server ? `${server.name}/${work.name}` : work.name,
    projectName: call.caller.route.project,
    originalContent: stage.type === 'module' ? original : '',
  };
  if (stage.type === 'module') return (await coded(work, stage, { stage, result, about })) as Part;
  if (!isOthers(stage) && lengthOf(result) <= SMALL) return applyStage(result, stage, about);
  const timeoutMs = stage.type === 'redact' ? GUARD_TIMEOUT : STAGE_TIMEOUT;
  return (await onThread(work, { stage, result, about }, timeoutMs)) as Part;
}

/** Code of the config repo, with what it may ask. */
async function coded(work: Work, stage: StageOf<'module'>, input: ResultWork & { result: Part }): Promise<unknown> {
  const { call, pipeline, inTime } = work;
  const { state, identity, route } = call.caller;
  const { code, file, llm, cache } = stage;
  const rights = { llm, cache };
  const about = { kind: 'pipeline', name: pipeline.name, code, rights } as const;
  const asker = { state, ...about, principal: identity.key, path: route.path, choice: route.llm };
  return new CodeDesk(asker, inTime).run({
    name: 'results',
    input,
    // Each part of what was split gets a world of its own.
    timeoutMs: stage.timeoutMs + AROUND + [...leavesOf(input.result)].length * WORLD,
    onTold: (text) => state.log('info', oneLine(String(text)), { pipeline: pipeline.name, file, route: route.path }),
  });
}

export const onThread = (
  { call: { caller }, inTime: signal }: Work,
  input: ResultWork,
  timeoutMs = GUARD_TIMEOUT,
): Promise<unknown> => caller.state.workers.run({ name: 'results', input, by: caller.identity.key, timeoutMs, signal });

/** `time`, `memory`, `crash`, or `error` for what it threw: in whose words does not matter, they may be of the text. */
function whyOf(error: unknown): string {
  if (error instanceof TaskLost) return error.why;
  if (!(error instanceof Error)) return 'error';
  return error.name === 'TimeoutError' ? 'time' : (LIMITS.get(error.message) ?? 'error');
}

const isOthers = (stage: StageEntry): boolean => stage.type === 'redact' && stage.patterns.length > 0;
