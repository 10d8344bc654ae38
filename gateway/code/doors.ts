/** What code of the config repo may ask, on its own side: the doors that it finds in its `ctx`, and how often each may be used. */
import { codeQuestion, type CodeQuestion } from '../../schemas/code-questions.ts';
import { readAnswer } from '../../schemas/plugin-answers.ts';
import type { Program } from '../script/sandbox.ts';
import type { Side } from '../worker-main.ts';

/**
 * Of one run of a hook, or of a stage over all parts of a text. Cost and flood: a question to a model costs money, and any costs
 * the gateway time, so a loop ends here, on the thread.
 */
const MOST: Readonly<Record<CodeQuestion['op'], number>> = { llm: 8, get: 64, set: 64, changed: 3 };
/** Of one line in the log (characters), and of one run. */
const MAX_LINE = 1_000;
const MAX_LINES = 20;
/** One question, as JSON, in which a character can become six. */
export const QUESTION_CHARS = 400_000;

const PRELUDE = String.raw`({ ask, say }) => {
  const { stringify, parse } = JSON;
  const { String } = globalThis;
  const request = async (question) => {
    const answer = await ask(stringify(question));
    return answer === '' ? undefined : parse(answer);
  };
  const log = (...values) => say(values.map((value) => String(value)).join(' ').slice(0, ${MAX_LINE}));
  globalThis.console = { log, info: log, warn: log, error: log, debug: log };
  return {
    log,
    llm: (prompt, { tier, maxTokens } = {}) => request({ op: 'llm', prompt, tier, maxTokens }),
    cache: {
      get: (key) => request({ op: 'get', key }),
      set: (key, value) => request({ op: 'set', key, json: stringify(value) ?? 'null' }),
    },
    changed: (list) => request({ op: 'changed', list }),
  };
}`;

/** @returns for one run, whatever it is made of */
export function doors(side: Side): Required<Pick<Program, 'prelude' | 'onAsked' | 'onSaid'>> {
  const left = { ...MOST };
  let lines = 0;
  return {
    prelude: PRELUDE,
    onSaid: (text) => {
      // It may have changed what cuts it off in there.
      if (++lines <= MAX_LINES) side.tell(text.slice(0, MAX_LINE));
    },
    onAsked: async (text) => {
      const question = readAnswer(codeQuestion, JSON.parse(text) as unknown);
      if (left[question.op]-- <= 0) throw new Error(`That can be asked ${MOST[question.op]} times in one run.`);
      return JSON.stringify(await side.ask(question)) ?? '';
    },
  };
}
