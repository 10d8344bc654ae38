/** One stage on one text, and what can be said of what it makes of it. */
import { expect } from 'vitest';
import { leavesOf, MAX_ENTRIES, type Part } from '../../../gateway/results/part.ts';
import { applyStage } from '../../../gateway/results/stages.ts';
import type { StageEntry } from '../../../schemas/pipelines.ts';

export const ABOUT = { sourceName: 'library/rows', projectName: 'dev', originalContent: '' };
export const SPLIT = { type: 'section-split', minSize: 200, maxSize: 1000 } as const;
export const run = (text: string, stage: StageEntry): Promise<Part> => applyStage({ title: '', text }, stage, ABOUT);
export const textOf = async (text: string, stage: StageEntry): Promise<string> =>
  (await run(text, stage)).text ?? 'in parts';
export const texts = (part: Part): string[] => [...leavesOf(part)].map(({ text = '' }) => text);
export const joined = (part: Part): string => texts(part).join('');
export const titles = ({ parts = [] }: Part): string[] => parts.map(({ title }) => title);
export const lines = (count: number, line: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => line(at)).join('\n');

/** No table of contents has more entries than can be read, and each has its title. */
export function expectReadable(part: Part): void {
  expect(part.parts?.length ?? 0).toBeLessThanOrEqual(MAX_ENTRIES);
  for (const inner of part.parts ?? []) expectReadable(inner);
}
