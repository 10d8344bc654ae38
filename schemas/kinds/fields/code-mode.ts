/** Whether agents may send scripts that call tools, and how far such a script may go (Project, Gateway). */
import { z } from 'zod';
import { formatPath, type Resource } from '../../resource.ts';
import { bytes, duration, milliseconds, size } from '../fields.ts';
import type { Problem } from '../kind.ts';

const spec = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether to do so.'),
  timeout: duration
    .default('30s')
    .describe(
      'How long a script may run, waiting for tools included; while a person is asked something, it does not count.',
    ),
  cpuTime: duration.default('5s').describe('How long it may compute.'),
  memory: size.default('64Mi').describe('How much memory it may take up.'),
  maxCalls: z.int().min(1).max(10_000).default(50).describe('How many tools it may call.'),
  maxConcurrentCalls: z.int().min(1).max(100).default(8).describe('How many of them at once; the others wait.'),
  maxScriptSize: size.default('64Ki').describe('How long its text may be.'),
  maxResultSize: size.default('64Ki').describe('How much it may return, as JSON: all of it is put before a model.'),
  maxConsoleSize: size.default('8Ki').describe('How much of what it writes to its console is kept.'),
});

export const codeMode = spec
  .optional()
  .describe(
    'Adds the tool run_script: a script, shut in without network and files, that calls tools and returns what a model needs.',
  );

export type CodeModeSpec = z.output<typeof codeMode>;

/** What each may be at most. A thread is taken up meanwhile, and everything is held in memory. */
const MOST = {
  timeout: ['10m', milliseconds],
  cpuTime: ['1m', milliseconds],
  memory: ['512Mi', bytes],
  maxScriptSize: ['1Mi', bytes],
  maxResultSize: ['4Mi', bytes],
  maxConsoleSize: ['1Mi', bytes],
} as const;

/** QuickJS itself needs some of it. */
const LEAST_MEMORY = '1Mi';

/** Durations and sizes that are out of bounds. */
export function codeModeProblems(resources: readonly Resource<{ codeMode?: CodeModeSpec }>[]): Problem[] {
  return resources.flatMap((resource) => {
    const { codeMode: given } = resource.spec;
    if (!given) return [];
    const problem = (field: keyof typeof MOST, rule: string): Problem => ({
      resource,
      path: ['codeMode', field],
      code: 'invalid-value',
      message: `${formatPath(['codeMode', field])} is ${given[field]}, and must be ${rule}.`,
    });
    const tooMuch = (Object.keys(MOST) as (keyof typeof MOST)[]).filter((field) => {
      const [most, read] = MOST[field];
      return read(given[field]) > read(most);
    });
    const tooSmall = bytes(given.memory) < bytes(LEAST_MEMORY);
    return [
      ...tooMuch.map((field) => problem(field, `at most ${MOST[field][0]}`)),
      ...(tooSmall ? [problem('memory', `at least ${LEAST_MEMORY}`)] : []),
    ];
  });
}
