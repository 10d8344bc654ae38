/** The config's own Prompts on their way to an agent: what is long comes as a table of its sections, as results of tools do. */
import type { Call } from '../era/era.ts';
import type { Text } from '../prompts/links.ts';
import type { NamedPipeline } from './of-route.ts';
import { promptResult, working } from './reshape.ts';
import { Withheld, type Work } from './run.ts';

/** So many on their way at a time: one principal's work that waits for a thread is bounded, and what a guard did not see is withheld. */
const AT_ONCE = 4;

/** The config's own texts, on their way into one answer: by name, whole or as tables of their sections. */
export function shapedTexts(
  call: Call,
  pipeline: NamedPipeline,
  texts: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, Text>> {
  const { timeout } = call.caller.course;
  return working(call, undefined, { pipeline, input: 'prompt', name: '', timeout }, async (work) => {
    const shaped = new Map<string, Text>();
    const left = texts.entries();
    const next = async (): Promise<void> => {
      for (const [name, text] of left) shaped.set(name, await shapedText({ ...work, name }, text));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    return shaped;
  });
}

async function shapedText(work: Work, text: string): Promise<Text> {
  try {
    const { messages } = await promptResult(work, messageOf(text));
    return { text: (messages as Message[])[0]?.content.text ?? '' };
  } catch (error) {
    if (!(error instanceof Withheld)) throw error;
    return { problem: `it was withheld: ${error.message}` };
  }
}

interface Message {
  readonly role: string;
  readonly content: { readonly type: string; readonly text: string };
}

/** A text as `prompts/get` gives it. */
export const messageOf = (text: string): { messages: Message[] } => ({
  messages: [{ role: 'user', content: { type: 'text', text } }],
});
