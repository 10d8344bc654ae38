/** How changes of tools are said, wherever a plan is shown. */
import type { ContextChange, Plan, ToolChange, ToolsPlan } from '../plan.ts';
import { inWords, type Difference } from './differences.ts';
import type { Finding } from './findings.ts';
import { forMany, wordDiff, type Effort } from './words.ts';

/** One thing to say, and what there is to say below it. */
export interface Said {
  readonly sign: '+' | '-' | '~' | '>' | '!' | ' ';
  readonly text: string;
  /** Made when they are first asked for: who has no room for them need not compare texts. */
  readonly details: readonly string[];
}

const SIGN: Readonly<Record<Difference['change'], Said['sign']>> = {
  added: '+',
  removed: '-',
  renamed: '>',
  changed: '~',
};

/** Signs of poisoning first: they must not drown in what is harmless. */
export function saidOf({ tools, context = [] }: Pick<Plan, 'tools' | 'context'>): Said[] {
  const { changes = [], artifacts = [], findings = [] } = tools ?? {};
  const effort = forMany();
  return [
    ...findings.map(findingSaid),
    ...changes.map((change) => changeSaid(change, effort)),
    ...artifacts.map(({ server, before = 'nothing known', after = 'nothing known' }): Said => ({
      sign: '~',
      text: `${server} runs ${after}`,
      details: [`before: ${before}`],
    })),
    ...context.map(contextSaid),
  ];
}

function contextSaid({ route, before, after, unknown }: ContextChange): Said {
  const why = unknown.length === 0 ? [] : [`the tools of ${unknown.join(', ')} are not known`];
  const cost =
    typeof before === 'number' && typeof after === 'number'
      ? `${after} tokens of context, ${signed(after - before)}`
      : after === undefined
        ? `no context any more, ${before ?? 'an unknown number of'} tokens before`
        : `${after ?? 'an unknown number of'} tokens of context${before === null ? ', and nobody knows how many before' : ''}`;
  return { sign: ' ', text: `${route} takes ${cost}`, details: why };
}

export function findingSaid({ server, tool, kind, message }: Finding): Said {
  return { sign: '!', text: `${server}:${tool} ${kind}: ${message}`, details: [] };
}

export function changeSaid(change: ToolChange, effort?: Effort): Said {
  const { server, tool, description, fields, tokens } = change;
  const cost = tokens.after - tokens.before;
  const all =
    description && change.change !== 'removed' ? [{ path: 'description', ...description }, ...fields] : fields;
  return {
    sign: SIGN[change.change],
    text: `${server}:${tool}: ${inWords(change as Difference)}${cost === 0 ? '' : ` (${signed(cost)} tokens)`}`,
    get details() {
      return all.map((field) => fieldSaid(field, effort));
    },
  };
}

function fieldSaid({ path, before, after }: ToolChange['fields'][number], effort?: Effort): string {
  if (before !== undefined && after !== undefined) return `~ ${path}: ${wordDiff(before, after, effort)}`;
  return after === undefined ? `- ${path}` : `+ ${path}: ${after}`;
}

const signed = (count: number): string => (count > 0 ? `+${count}` : String(count));

/** `2 tools added, 1 changed`. */
export function toolCounts({ changes }: Pick<ToolsPlan, 'changes'>): string {
  const kinds = Map.groupBy(changes, ({ change }) => change);
  const parts = [...kinds].map(([kind, list]) => `${list.length} ${kind}`);
  return parts.length === 0 ? 'no tool differs' : `tools: ${parts.join(', ')}`;
}
