/** Language models, and how each did when it was last asked. */
import type { LlmStatus } from '../../schemas/llm.ts';
import type { Status } from '../../schemas/status.ts';
import { age, type Table } from './table.ts';

const HEAD = ['name', 'type', 'model', 'used for', 'state', 'calls', 'failed', 'tokens in/out', 'error'];

export function llmTable(all: readonly LlmStatus[]): Table {
  return { head: HEAD, rows: all.map(llmRow) };
}

function llmRow(status: LlmStatus): string[] {
  const { name, type, model, calls, errors, inputTokens, outputTokens, lastError = '-' } = status;
  const tokens = `${inputTokens}/${outputTokens}`;
  return [name, type, model, useOf(status), stateOf(status), String(calls), String(errors), tokens, lastError];
}

function useOf({ tier, default: isDefault }: LlmStatus): string {
  const uses = [...(tier === undefined ? [] : [tier]), ...(isDefault ? ['default'] : [])];
  return uses.length === 0 ? '-' : uses.join(', ');
}

const stateOf = ({ state, breaker }: LlmStatus): string => (breaker === 'open' ? `${state} (not asked)` : state);

/** For `describe`. */
export function llmSection(status: LlmStatus): string {
  const { calls, errors, inFlight, inputTokens, outputTokens, answeredAt, failedAt, lastError } = status;
  return [
    stateOf(status),
    `${calls} calls, ${errors} failed, ${inFlight} running; ${inputTokens} tokens in, ${outputTokens} out`,
    ...(answeredAt === undefined ? [] : [`answered ${age(answeredAt)} ago`]),
    ...(failedAt === undefined ? [] : [`failed ${age(failedAt)} ago: ${lastError}`]),
  ].join('\n');
}

/** For `status`: which there are and when each answered last, in one line; those that fail have one of their own. */
export function llmLines({ llms = [] }: Pick<Status, 'llms'>): string[] {
  if (llms.length === 0) return [];
  const [failing, well] = [true, false].map((fails) => llms.filter(({ state }) => (state === 'failing') === fails));
  const others = (well ?? []).map((one) => {
    const answered = one.answeredAt === undefined ? '' : `, answered ${age(one.answeredAt)} ago`;
    return `${one.name} (${one.model}) ${stateOf(one)}${answered}`;
  });
  return [
    ...(failing ?? []).map(({ name, failedAt, lastError, breaker }) => {
      const pause = breaker === 'open' ? ' It is not asked for now.' : '';
      return `Models   ${name} failed ${age(failedAt)} ago: ${lastError}${pause}`;
    }),
    ...(others.length > 0 ? [`Models   ${others.join('; ')}`] : []),
  ];
}
