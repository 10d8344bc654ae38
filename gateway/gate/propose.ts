/** `propose_prompt`: what a session has learned and others should know, as a proposal to the config. */
import { OWN_PROMPTS } from '../../schemas/kinds/fields/own-texts.ts';
import { API_VERSION } from '../../schemas/resource.ts';
import type { Proposal } from '../../schemas/proposals.ts';
import type { PromptEntry } from '../../schemas/snapshot.ts';
import type { Call } from '../era/era.ts';
import { mistaken, textAt, type Args, type OwnTool } from '../own/own-tool.ts';
import type { Json } from '../rpc/json.ts';
import { isOwn, passOf } from './passed.ts';
import { ALWAYS } from './score.ts';

/** Of a text (characters): somebody has to read it before saying yes. */
const MAX_CONTENT = 16_384;
const MAX_TITLE = 120;
const DEFAULT_PRIORITY = 5;
/** How long the repo may take (ms). */
const TIMEOUT = 30_000;

export const proposePrompt: OwnTool = {
  name: 'propose_prompt',
  define: () => ({
    name: 'propose_prompt',
    description:
      'Proposes a text that later sessions should get: a rule, or what you had to find out. Somebody has to say yes; until then only you have it.',
    inputSchema: {
      type: 'object',
      properties: {
        name: { type: 'string', description: 'a–z, 0–9 and -, such as release-rules.' },
        content: { type: 'string', description: 'The text, in Markdown.' },
        summary: { type: 'string', description: 'What it is about, in one line.' },
        priority: { type: 'integer', minimum: 1, maximum: ALWAYS - 1, description: 'How much it matters. Default: 5.' },
      },
      required: ['name', 'content'],
    },
  }),
  async run(call, args) {
    const wish = wishIn(args);
    if (typeof wish === 'string') return mistaken(call, wish);
    const { state, generation } = call.caller;
    if (!state.control) return mistaken(call, 'Nothing can be proposed here.');
    // What is there already is changed by people, who see all of it; and what Slipway itself says, too.
    const { prompts = {} } = generation.snapshot;
    if (Object.hasOwn(prompts, wish.name) || wish.name.startsWith(OWN_PROMPTS))
      return mistaken(call, `The name ${wish.name} is taken. Choose another.`);
    return propose(call, wish);
  },
};

interface Wish {
  readonly name: string;
  readonly entry: PromptEntry & { readonly content: string };
}

/** @returns what is wrong, in words */
function wishIn(args: Args): Wish | string {
  const name = textAt(args, 'name');
  const content = textAt(args, 'content', 'text');
  const summary = textAt(args, 'summary')?.replaceAll(/\s+/g, ' ').slice(0, 500).trim();
  const priority = Number(args['priority'] ?? DEFAULT_PRIORITY);
  if (name === undefined || !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    return 'name must be 1–63 of a–z, 0–9 and -, starting and ending with a letter or digit.';
  if (content === undefined || content.trim() === '') return 'content must be the text.';
  if (content.length > MAX_CONTENT) return `content must be at most ${MAX_CONTENT} characters.`;
  if (!Number.isInteger(priority) || priority < 1 || priority >= ALWAYS)
    return `priority must be a whole number from 1 to ${ALWAYS - 1}: what everybody gets is for people to say.`;
  return { name, entry: { content, priority, ...(summary ? { summary } : {}) } };
}

/** By the door that everybody's proposals go through, as the caller: whether it may is said there. */
async function propose(call: Call, { name, entry }: Wish): Promise<Json> {
  const { caller, trace } = call;
  const { state, identity, route } = caller;
  const spec = { ...entry, ...(route.project === undefined ? {} : { projects: [route.project] }) };
  const title = `Prompt ${name}: ${entry.summary ?? 'learned in a session'}`.replaceAll(/\p{Cc}/gu, ' ');
  const gone = new AbortController();
  const stay = call.onGone(() => gone.abort());
  const answer = await state.control?.({
    method: 'POST',
    path: '/proposals',
    query: new URLSearchParams(),
    body: {
      title: title.slice(0, MAX_TITLE).trim(),
      resources: [{ apiVersion: API_VERSION, kind: 'Prompt', metadata: { name }, spec }],
    },
    signal: AbortSignal.any([gone.signal, AbortSignal.timeout(TIMEOUT)]),
    caller: identity,
  });
  stay();
  if (answer?.status !== 201) {
    const { error = 'It could not be proposed.' } = (answer?.body ?? {}) as { error?: string };
    return mistaken(call, error);
  }
  const { id, branch, request } = answer.body as Proposal;
  const where = request === undefined ? `branch ${branch}` : request;
  const proposed = `Proposed as ${id} (${where}).`;
  // Unapproved words must reach nobody else: who cannot be told from others has none of their own.
  if (!isOwn(caller, trace.session)) return call.encode({ content: [{ type: 'text', text: proposed }] });
  state.prompts.passed.propose(passOf(caller, trace.session), name, entry);
  const text = `${proposed} Until somebody says yes, read_prompts gives it to you alone.`;
  return call.encode({ content: [{ type: 'text', text }] });
}
