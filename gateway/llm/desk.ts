/** What operators ask of the models of a running gateway. */
import { createHash } from 'node:crypto';
import { SlipwayError } from '../../schemas/errors.ts';
import { isOwnText } from '../../schemas/kinds/fields/own-texts.ts';
import type { LlmDesk } from '../../schemas/llm.ts';
import type { State } from '../exchange.ts';
import { isFor } from '../prompts/prompts.ts';

export function llmDesk({ llm, prompts, current }: Pick<State, 'llm' | 'prompts' | 'current'>): LlmDesk {
  return {
    statuses: () => llm.statuses(),
    check: (names, signal) => llm.check(names, signal),
    async summarize(name, signal) {
      const { prompts: known = {}, routes } = current.snapshot;
      const entry = Object.hasOwn(known, name) ? known[name] : undefined;
      if (!entry) throw new SlipwayError('not-found', `There is no Prompt ${name} in force.`);
      if (isOwnText(name)) throw new SlipwayError('bad-request', `${name} is in no index, so it needs no summary.`);
      const { content, priority } = entry;
      // A link is read as whoever wants it: there is nobody to read it as, and no text that is everybody's.
      if (content === undefined)
        throw new SlipwayError('bad-request', `${name} is a link: what it says is its server's.`);
      const choices = Object.entries(routes).filter(([path, { project }]) => isFor(entry, path, project));
      // Data leak: where one of its routes names models, no other is shown the text.
      const choice = choices.map(([, route]) => route.llm).find((one) => one !== undefined);
      const digest = await prompts.digests.make({ name, entry: { content, priority } }, choice, signal);
      return { name, ...digest, text: createHash('sha256').update(content).digest('hex') };
    },
  };
}
