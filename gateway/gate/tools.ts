/** The tools of a route with a gate. */
import type { Route } from '../../schemas/snapshot.ts';
import type { Call } from '../era/era.ts';
import { mistaken, textAt, textsAt, type Args, type OwnTool } from '../own/own-tool.ts';
import type { Json } from '../rpc/json.ts';
import { GATE_TOOLS, type Gate } from './gate.ts';
import { proposePrompt } from './propose.ts';
import { tagsIn } from './score.ts';
import { READ } from './words.ts';

const TAGS = {
  type: 'array',
  items: { type: 'string' },
  minItems: 1,
  description:
    'Keywords of the task: what it is about, what it touches, what is to be done. Several are better than one.',
};
const DESCRIPTION = { type: 'string', description: 'The task, in a sentence.' };
const INPUT = {
  type: 'object',
  properties: { tags: TAGS, description: DESCRIPTION },
  required: ['tags'],
};

const NO_TAGS = 'Give at least one keyword of the task in tags, such as "deploy".';

const beginSession: OwnTool = {
  name: GATE_TOOLS.begin,
  isUnlisted: true,
  define: () => ({
    name: GATE_TOOLS.begin,
    description:
      'Call this first. Say what you are about to do: you get the texts that fit it, and then the other tools are listed.',
    inputSchema: INPUT,
    annotations: { readOnlyHint: true },
  }),
  run: (call, args) => answer(call, args, (gate, topic) => gate.begin(call, topic)),
};

const readPrompts: OwnTool = {
  name: GATE_TOOLS.read,
  define: () => ({
    name: GATE_TOOLS.read,
    description:
      'Gives the texts that fit some keywords: rules and knowledge for a task. Their names are keywords, too.',
    inputSchema: INPUT,
    annotations: { readOnlyHint: true },
  }),
  // Who reads has said what it is about.
  run: (call, args) =>
    answer(call, args, (gate, topic) =>
      gate.isClosed(call.caller, call.trace.session) ? gate.begin(call, topic) : gate.read(call, topic, READ),
    ),
};

async function answer(
  call: Call,
  args: Args,
  give: (gate: Gate, topic: { tags: string[]; description: string | undefined }) => Promise<string>,
): Promise<Json> {
  const { gate } = call.caller.route;
  const tags = tagsIn(textsAt(args, 'tags', 'tag', 'keywords'));
  if (!gate || tags.length === 0) return mistaken(call, NO_TAGS);
  const text = await give(gate, { tags, description: textAt(args, 'description', 'task') });
  return call.encode({ content: [{ type: 'text', text }] });
}

export const gateTools = ({ gate }: Route): readonly OwnTool[] =>
  gate ? [beginSession, readPrompts, ...(gate.proposals ? [proposePrompt] : [])] : [];
