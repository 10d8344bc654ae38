/** One hook of one Plugin, run shut in on a thread, and told to the audit log: names and times, never what it saw or said. */
import type { AuditOutcome } from '../../schemas/audit.ts';
import type { Changeable } from '../../schemas/code-questions.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { hookOutput, readAnswer } from '../../schemas/plugin-answers.ts';
import type { Hook } from '../../schemas/plugins.ts';
import { CodeDesk, MODEL_PATIENCE } from '../code/desk.ts';
import { oneLine } from '../code/line.ts';
import type { Ended } from '../script/sandbox.ts';
import { TaskLost } from '../workers.ts';
import type { HookWork } from './in-worker.ts';
import type { Step } from './route-plugin.ts';
import type { About, Whom } from './whom.ts';

/** What one may take besides its own time on the thread, and wait for a thread (ms). */
const AROUND = 2_000;
const PATIENCE = 10_000;
/** Of what a session keeps, as JSON (characters). */
const MAX_STATE = 16 * 1024;
/** Of what is told of an error (characters). */
const MAX_SAID = 300;

/** Why a hook came to nothing: `time`, `memory`, `error` (it threw), `answer` (not what its hook gives), `busy`, `gone` (nobody waits for it). */
export class HookFailed extends Error {
  readonly why: string;

  constructor(why: string, message: string) {
    super(message);
    this.why = why;
  }
}

export interface Run<T> {
  /** `tools`: one of its tools is called. */
  readonly hook: Hook | 'tools';
  /** Whose code runs, where that is not all that is there for the hook. */
  readonly step?: Step;
  readonly input: Readonly<Record<string, unknown>>;
  /** Makes of an answer what it means. @throws any error where it is none */
  readonly read: (answer: unknown) => T | Promise<T>;
  readonly about?: About;
  /** Tells its client that a list has changed. Absent where nobody is to be told. */
  readonly onChanged?: ((list: Changeable) => void) | undefined;
  /** Ends it, also while it waits for its turn. */
  readonly signal?: AbortSignal;
}

const OUTCOMES: Readonly<Record<string, AuditOutcome>> = { time: 'timeout', gone: 'cancelled' };
const OF_SANDBOX: Readonly<Record<string, string>> = { cpu: 'time', stuck: 'time', memory: 'memory', result: 'answer' };

/**
 * @param state JSON of what the session keeps
 * @returns its value, `undefined` where it changes nothing, and what the session keeps now @throws HookFailed
 */
export async function runStep<T>(
  whom: Whom,
  step: Step,
  run: Run<T>,
  state: string,
): Promise<{ value: T | undefined; state: string }> {
  const began = performance.now();
  try {
    run.signal?.throwIfAborted();
    const done = await answered(whom, step, run, state);
    tell(whom, step, run, began);
    return done;
  } catch (error) {
    const failed = inWords(error);
    tell(whom, step, run, began, failed);
    throw failed;
  }
}

async function answered<T>(
  whom: Whom,
  { name, entry }: Step,
  { hook, input, read, onChanged, signal }: Run<T>,
  state: string,
): Promise<{ value: T | undefined; state: string }> {
  const { code = '', file = name, config, timeoutMs, memoryBytes } = entry;
  const work: HookWork = { hook, file, code, input, config, state, cpuMs: timeoutMs, memoryBytes };
  const { state: shared, principal, path } = whom;
  // Stale rights: a session may be older than the commit that says which models its route may ask, if any.
  const route = shared.current.snapshot.routes[path];
  const rights = { cache: entry.cache, llm: entry.llm === true && route !== undefined };
  const about = { kind: 'plugin', name, code, rights, choice: route?.llm } as const;
  const asker = { state: shared, ...about, principal, path, onChanged };
  const longest = timeoutMs + AROUND + PATIENCE + (entry.llm ? MODEL_PATIENCE : 0);
  const late = AbortSignal.timeout(longest);
  const ended = (await new CodeDesk(asker, signal ? AbortSignal.any([late, signal]) : late).run({
    name: 'plugin',
    input: work,
    timeoutMs: timeoutMs + AROUND,
    onTold: (text) => shared.log('info', oneLine(String(text)), { plugin: name, hook, route: path }),
  })) as Ended;
  if (!ended.ok) throw new HookFailed(OF_SANDBOX[ended.why] ?? 'error', ended.message);
  try {
    const { answer, state: after } = readAnswer(hookOutput, JSON.parse(ended.json ?? 'null'));
    const kept = JSON.stringify(after);
    if (kept.length > MAX_STATE) throw new Error(`ctx.state has more than ${MAX_STATE} characters`);
    return { value: answer === undefined || answer === null ? undefined : await read(answer), state: kept };
  } catch (error) {
    throw new HookFailed('answer', (error as Error).message);
  }
}

function inWords(error: unknown): HookFailed {
  if (error instanceof HookFailed) return error;
  if (error instanceof TaskLost) return new HookFailed(error.why === 'crash' ? 'error' : error.why, error.message);
  if (error instanceof SlipwayError && error.code === 'cancelled') return new HookFailed('gone', error.message);
  if (error instanceof SlipwayError || (error as Error).name === 'TimeoutError')
    return new HookFailed('busy', (error as Error).message);
  return new HookFailed('error', String(error));
}

/** @param began as `performance.now()` gave it */
export function tell(
  { state, ...whom }: Whom,
  { name }: Pick<Step, 'name'>,
  run: Run<unknown>,
  began: number,
  failed?: HookFailed,
): void {
  const { hook, about = {} } = run;
  const durationMs = performance.now() - began;
  if (failed) {
    const error = oneLine(failed.message).slice(0, MAX_SAID);
    state.log('warn', 'a hook of a Plugin failed', { plugin: name, hook, route: whom.path, why: failed.why, error });
  }
  state.audit.record({
    at: Date.now(),
    kind: 'plugin_execution',
    source: 'gateway',
    outcome: failed ? (OUTCOMES[failed.why] ?? 'failed') : 'ok',
    requestId: whom.requestId,
    correlationId: whom.correlationId,
    principal: whom.principal,
    session: whom.session,
    project: whom.project,
    ...about,
    method: whom.method,
    allowed: true,
    ...(failed ? { deniedReason: `plugin_${failed.why}` } : {}),
    durationMs,
    commit: whom.commit,
    detail: { plugin: name, hook },
  });
}
