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

/** For `status`: one line where all is well. */
export function llmLines({ llms = [] }: Pick<Status, 'llms'>): string[] {
  if (llms.length === 0) return [];
  const failing = llms.filter(({ state }) => state === 'failing');
  if (failing.length === 0) return [`Models   ${llms.map(({ name, state }) => `${name} ${state}`).join(', ')}`];
  return failing.map(({ name, failedAt, lastError }) => `Models   ${name} failed ${age(failedAt)} ago: ${lastError}`);
}
