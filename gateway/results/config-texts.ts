/** The config's own Prompts on their way to an agent: what is long comes as a table of its sections, as results of tools do. */
import type { Call } from '../era/era.ts';
import type { Text } from '../prompts/links.ts';
import type { NamedPipeline } from './of-route.ts';
import { promptResult, working } from './reshape.ts';
import { Withheld } from './run.ts';

/** The config's own texts, on their way into one answer: by name, whole or as tables of their sections. */
export function shapedTexts(
  call: Call,
  pipeline: NamedPipeline,
  texts: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, Text>> {
  const { timeout } = call.caller.course;
  return working(call, undefined, { pipeline, input: 'prompt', name: '', timeout }, async (work) => {
    const each = [...texts].map(async ([name, text]): Promise<[string, Text]> => {
      try {
        const { messages } = await promptResult({ ...work, name }, messageOf(text));
        return [name, { text: (messages as Message[])[0]?.content.text ?? '' }];
      } catch (error) {
        if (!(error instanceof Withheld)) throw error;
        return [name, { problem: `it was withheld: ${error.message}` }];
      }
    });
    return new Map(await Promise.all(each));
  });
}

interface Message {
  readonly role: string;
  readonly content: { readonly type: string; readonly text: string };
}

/** A text as `prompts/get` gives it. */
export const messageOf = (text: string): { messages: Message[] } => ({
  messages: [{ role: 'user', content: { type: 'text', text } }],
});
