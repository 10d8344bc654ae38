/** The worker's half of `run_script`: the sandbox, and the doors in it. What may be asked how often is counted here, so that a flood ends here. */
import type { Side, Work } from '../worker-main.ts';
import { PRELUDE } from './prelude.ts';
import { valueOf, type ToolResult } from './value.ts';
import { runShutIn, type Caps, type Ended } from './sandbox.ts';

export interface ScriptInput {
  readonly script: string;
  readonly caps: Caps;
  /** Calls of tools: in all, and at once; what is more than that at once waits. */
  readonly maxCalls: number;
  readonly maxConcurrentCalls: number;
  /** What of its console is kept (characters). */
  readonly consoleChars: number;
}

/** What a script asks for: always a `call`, `list` or `describe`, as JSON; whatever else is in it is the script's word. */
export type Question = Readonly<Record<string, unknown>>;

/** Looks at the catalog that one script may take: each is work for the gateway. */
const MAX_LOOKUPS = 100;

/** Tells what the script says to its console, line by line, and asks its questions. */
export const runScript = (async (input: ScriptInput, side: Side): Promise<Ended> => {
  const turns = new Turns(input.maxConcurrentCalls);
  let calls = 0;
  let lookups = 0;
  let left = input.consoleChars;
  return runShutIn({
    as: 'script',
    code: input.script,
    name: 'script',
    prelude: PRELUDE,
    caps: input.caps,
    onSaid: (text) => {
      if (left < 0) return;
      side.tell(text.length <= left ? text : `${text.slice(0, left)}… (the console is full)`);
      left -= text.length + 1;
    },
    onAsked: async (text) => {
      const question = JSON.parse(text) as Question;
      if (question['op'] !== 'call') {
        if (++lookups > MAX_LOOKUPS) throw new Error(`A script may look at the catalog ${MAX_LOOKUPS} times.`);
        return (await side.ask(question)) as string;
      }
      if (++calls > input.maxCalls) throw new Error(`A script may call tools ${input.maxCalls} times.`);
      await turns.take();
      try {
        const result = JSON.parse((await side.ask(question)) as string) as ToolResult;
        return JSON.stringify(valueOf(result)) ?? '';
      } finally {
        turns.giveBack();
      }
    },
  });
}) satisfies Work;

/** So many at once; the others wait, in their order. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  giveBack(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}
