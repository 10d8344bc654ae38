/** The worker's half of a hook: the sandbox, and what the code finds in it. */
import { doors, QUESTION_CHARS } from '../code/doors.ts';
import { runShutIn, type Ended } from '../script/sandbox.ts';
import type { Side, Work } from '../worker-main.ts';

export interface HookWork {
  readonly hook: string;
  readonly file: string;
  /** An ES module. */
  readonly code: string;
  readonly input: unknown;
  readonly config: unknown;
  /** JSON text: what the session keeps. */
  readonly state: string;
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

/** What a hook may give back at most, as JSON (characters). */
const MAX_ANSWER = 16 * 2 ** 20;

const AROUND = `import * as plugin from 'plugin';
export default async (hook, input, config, text, { changed, ...doors }) => {
  const tools = plugin.tools ?? {};
  const own = hook !== 'tools' ? plugin[hook] : Object.hasOwn(tools, input.tool) ? tools[input.tool] : undefined;
  const name = hook === 'tools' ? 'tool ' + input.tool : hook;
  if (typeof own !== 'function') throw new Error('It exports no ' + name + '.');
  const state = JSON.parse(text);
  const ctx = { config, state, ...doors, notify: changed };
  const answer = await own(hook === 'tools' ? input.arguments : input, ctx);
  return { answer, state: ctx.state };
};`;

/** Tells what the code logs, line by line, and asks its questions. @returns JSON of `{ answer, state }` */
export const runHook = (async (work: HookWork, side: Side): Promise<Ended> =>
  runShutIn({
    as: 'module',
    code: AROUND,
    name: work.file,
    modules: { plugin: work.code },
    args: [work.hook, work.input, work.config, work.state],
    caps: { cpuMs: work.cpuMs, memoryBytes: work.memoryBytes, resultChars: MAX_ANSWER, questionChars: QUESTION_CHARS },
    ...doors(side),
  })) satisfies Work;
