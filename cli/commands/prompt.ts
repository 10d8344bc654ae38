/** `slipway prompt summarize`: what a Prompt is about, said by a model, and written into the config by whoever agrees. */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { SlipwayError } from '../../schemas/errors.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
import type { PromptDigest } from '../../schemas/llm.ts';
import type { Resource } from '../../schemas/resource.ts';
import { TARGET_OPTIONS, WRITE_OPTIONS, type Command, type Invocation } from '../command.ts';
import { meaningOf } from '../document/meaning.ts';
import { plain, plainLines } from '../print/plain.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';
import { change } from '../write/change.ts';
import { say, type Outcome } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';
import { found } from '../write/find.ts';
import { mergePatch } from '../write/patch.ts';

const SUMMARY =
  'have the fast model say what a Prompt is about, which may cost something; without one, what its text itself tells';

export const command: Command = {
  summary: 'the Prompts of the config: summarize',
  usage: '<summarize>',
  commands: { summarize: { summary: SUMMARY, make: () => summarize } },
  examples: ['slipway prompt summarize release-rules', 'slipway prompt summarize release-rules --write --diff'],
  run: ({ args: [action] }) =>
    Promise.reject(new SlipwayError('usage', `There is no \`prompt ${action}\`; there is \`prompt summarize\`.`)),
};

/** Options of those that write, by the names that they have when they are given. */
const ONLY_WRITING = ['dryRun', 'diff', 'branch', 'pr', 'message'] as const;

const summarize: Command = {
  summary: SUMMARY,
  usage: '<prompt>',
  options: [
    ...TARGET_OPTIONS,
    { flags: '--write', description: 'write it into the Prompt in the config repo, as its summary and chapters' },
    ...WRITE_OPTIONS,
  ],
  examples: [
    'slipway prompt summarize release-rules',
    'slipway prompt summarize release-rules -o json',
    'slipway prompt summarize release-rules --write --dry-run --diff',
    'slipway prompt summarize release-rules --write -m "Say what the release rules are about"',
  ],

  async run(invocation) {
    const {
      args: [name = ''],
      options,
      io,
    } = invocation;
    const isWriting = options['write'] === true;
    const idle = ONLY_WRITING.find((option) => options[option] !== undefined && options[option] !== false);
    if (!isWriting && idle !== undefined)
      throw new SlipwayError('usage', 'Nothing is written without --write.', { hint: 'Add --write.' });
    const target = await findTarget(options, io, isWriting ? 'own' : 'any');
    const digest = await target.json<PromptDigest>('POST', `/summaries/${encodeURIComponent(name)}`);
    if (digest.by === 'text') io.err('No model answered: this is what the text itself tells.');
    if (isWriting) return change(invocation, (draft) => write(draft, digest));
    print(invocation, digest);
    return 0;
  },
};

function print({ options, io }: Invocation, { name, summary, chapters, by }: PromptDigest): void {
  const format = options['output'];
  if (format === 'json' || format === 'yaml') io.out(formatValue({ name, summary, chapters, by }, format));
  else if (format === 'name') io.out(`prompt/${name}`);
  // A model's words: they are shown, and not obeyed.
  else io.out(plainLines([plain(summary), ...chapters.map((chapter) => `- ${plain(chapter)}`)].join('\n')));
}

async function write(draft: Draft, { name, summary, chapters, text }: PromptDigest): Promise<readonly Outcome[]> {
  const { document } = await found(draft, KINDS.Prompt, name);
  const own = draft.of(KINDS.Prompt.kind).find(({ metadata }) => metadata.name === name);
  // Whoever changed the text since would get a summary of another.
  if (own && textHash(own) !== text)
    throw new SlipwayError('conflict', `The text of ${name} in the config is another than the one in force.`, {
      hint: 'Let it be in force first: commit it, and `slipway sync --wait`.',
    });
  const before = meaningOf(document.value) ?? {};
  const value = mergePatch(before, { spec: { ...(summary === '' ? {} : { summary }), chapters: [...chapters] } });
  const outcome = await say(draft, { kind: KINDS.Prompt.kind, name, value });
  return [outcome.verb === 'unchanged' ? outcome : { ...outcome, verb: 'summarized' }];
}

/** Of the text as it is read: of a file, without what only says how it is written. */
function textHash({ spec, files = {} }: Resource): string | undefined {
  const { content, file = '' } = spec as z.output<typeof KINDS.Prompt.spec>;
  const text = content ?? files[file]?.['text'];
  return text === undefined ? undefined : createHash('sha256').update(text).digest('hex');
}
