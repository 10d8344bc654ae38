/** The worker's half of a hook: the sandbox, and what the code finds in it. */
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

/** What a hook may give back at most, as JSON, and say in one line of the log (characters); lines of one run. */
const MAX_ANSWER = 16 * 2 ** 20;
const MAX_LINE = 1_000;
const MAX_LINES = 20;

const AROUND = `import * as plugin from 'plugin';
const { log } = console;
export default async (hook, input, config, text) => {
  if (typeof plugin[hook] !== 'function') throw new Error('It exports no ' + hook + '.');
  const state = JSON.parse(text);
  const ctx = { config, state, log };
  const answer = await plugin[hook](input, ctx);
  return { answer, state: ctx.state };
};`;

const PRELUDE = String.raw`({ say }) => {
  const { String } = globalThis;
  const log = (...values) => say(values.map((value) => String(value)).join(' ').slice(0, ${MAX_LINE}));
  globalThis.console = { log, info: log, warn: log, error: log, debug: log };
}`;

/** Tells what the code logs, line by line. @returns JSON of `{ answer, state }` */
export const runHook = (async (work: HookWork, side: Side): Promise<Ended> => {
  let lines = 0;
  return runShutIn({
    as: 'module',
    code: AROUND,
    name: work.file,
    modules: { plugin: work.code },
    prelude: PRELUDE,
    args: [work.hook, work.input, work.config, work.state],
    caps: { cpuMs: work.cpuMs, memoryBytes: work.memoryBytes, resultChars: MAX_ANSWER, questionChars: MAX_LINE },
    onSaid: (text) => {
      if (++lines <= MAX_LINES) side.tell(text);
    },
  });
}) satisfies Work;
