/** How many tokens results have. Counted after they were sent, in slices, so that no call waits for it. */
import { setImmediate as turn } from 'node:timers/promises';

/** How long one slice may take before others get their turn (ms). */
const SLICE = 4;
/**
 * Text is counted in pieces (characters): a tokenizer takes time by the square of the longest word, so one without an end would
 * take for ever. At the end of a piece a token may be counted twice.
 */
const PIECE = 1_000;
/** What waits to be counted must not fill the memory; beyond this, it is guessed (characters of JSON). */
const MAX_WAITING = 64 * 1024 * 1024;
/** Characters in a token of English, or of JSON, on the average. */
const TYPICAL = 4;

interface Job {
  readonly json: string;
  readonly done: (tokens: number) => void;
}

export class TokenCounter {
  readonly #jobs: Job[] = [];
  #waiting = 0;
  #working: Promise<void> | undefined;

  /** @param json a result as the client got it. @param done called when it is counted; the caller must not wait for it */
  count(json: string, done: (tokens: number) => void): void {
    if (this.#waiting + json.length > MAX_WAITING) return done(Math.ceil(json.length / TYPICAL));
    this.#waiting += json.length;
    this.#jobs.push({ json, done });
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  /** Resolves when everything is counted. */
  async idle(): Promise<void> {
    while (this.#working) await this.#working;
  }

  async #work(): Promise<void> {
    // 100 ms and 65 MB: only for those who have such a budget, and not before there is something to count.
    const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
    let until = 0;
    for (let job = this.#jobs.shift(); job; job = this.#jobs.shift()) {
      let tokens = 0;
      for (const text of textsOf(JSON.parse(job.json)))
        for (const piece of piecesOf(text)) {
          if (performance.now() >= until) {
            await turn();
            until = performance.now() + SLICE;
          }
          // What looks like a control token is text like any other.
          tokens += countTokens(piece, { disallowedSpecial: new Set() });
        }
      this.#waiting -= job.json.length;
      job.done(tokens);
    }
  }
}

/** Of one text that somebody waits for. Calls get their turn meanwhile. */
export async function tokensIn(text: string): Promise<number> {
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  let tokens = 0;
  let until = performance.now() + SLICE;
  for (const piece of piecesOf(text)) {
    if (performance.now() >= until) {
      await turn();
      until = performance.now() + SLICE;
    }
    tokens += countTokens(piece, { disallowedSpecial: new Set() });
  }
  return tokens;
}

/** Cut at a space where there is one, so that hardly a word is cut. */
function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const space = text.length - at <= PIECE ? text.length : text.lastIndexOf(' ', at + PIECE);
    const end = space > at ? space : at + PIECE;
    yield text.slice(at, end);
    at = end;
  }
}

type Values = Readonly<Record<string, unknown>>;
type Block = { text?: unknown; resource?: { text?: unknown } } | null;

/**
 * What a model gets to read of a result of `tools/call`, `prompts/get` or `resources/read`. Structured content stands in the
 * text as well, as the protocol asks; only where there is no text it counts itself. Pictures and sound have no tokens here.
 */
export function textsOf(result: unknown): string[] {
  const { content, contents, messages, structuredContent, taskId, result: brought } = (result ?? {}) as Values;
  const blocks = [
    ...list(content),
    ...list(contents),
    ...list(messages).map((message) => contentOf(message)),
  ] as Block[];
  const texts = blocks
    .flatMap((block) => [block?.text, block?.resource?.text])
    .filter((text) => typeof text === 'string');
  if (texts.length === 0 && structuredContent !== undefined) texts.push(JSON.stringify(structuredContent));
  // Since 2026-07-28, what a task came to stands in its status.
  return taskId === undefined || brought === undefined ? texts : [...texts, ...textsOf(brought)];
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const contentOf = (message: unknown): unknown => (message as { content?: unknown } | null)?.content;
