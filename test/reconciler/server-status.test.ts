/** What is said of a server that is not well: one line that tells a person what to look at. */
import { expect, test } from 'vitest';
import { compile, NOTHING } from '../../reconciler/compile.ts';
import { OUT_OF_MEMORY, type Instance } from '../../reconciler/drivers/driver.ts';
import { serverConditions } from '../../reconciler/server-status.ts';
import type { Facts } from '../../reconciler/status.ts';
import { workload } from '../helpers/workload.ts';

const WANTED = workload({ argv: ['x'], replicas: 2 });

const instance = (index: number, more: Partial<Instance>): Instance => ({
  id: `tiny-${index}`,
  address: WANTED.address,
  hash: WANTED.hash,
  index,
  state: 'running',
  endpoint: { id: `tiny-${index}`, transport: 'stdio', address: 'unix:/x' },
  restarts: 0,
  ...more,
});

function ready(instances: readonly Instance[]): string {
  const tools = [{ name: 'a' }, { name: 'b' }];
  const endpoints = instances.map(({ endpoint }) => endpoint);
  const facts = {
    compiled: compile(NOTHING),
    errors: new Map(),
    served: new Map([[WANTED.address, { endpoints, readiness: { hash: WANTED.hash, tools } }]]),
    canaries: new Map(),
    waiting: new Map(),
    held: new Map(),
    health: () => ({}),
    lastLines: (id: string) => [`${id} says bye`],
  } as unknown as Facts;
  const [condition] = serverConditions(WANTED.address, WANTED, instances, facts);
  return `${condition?.status}=${condition?.reason}: ${condition?.message}`;
}

test('all are well', () => {
  expect(ready([instance(0, {}), instance(1, { state: 'sleeping' })])).toBe('True=Succeeded: 2 tools');
});

test('one that crashed once is no news while another serves', () => {
  const crashed = instance(0, { state: 'crashed', restarts: 1, lastError: 'it exited with code 3' });
  expect(ready([crashed, instance(1, {})])).toBe('True=Succeeded: 2 tools');
  expect(ready([crashed])).toBe('False=Crashed: tiny-0: it exited with code 3. Its last lines: “tiny-0 says bye”');
});

test('one that keeps crashing is, and one that ran out of memory is told apart', () => {
  const loop = { state: 'crashed', restarts: 4, lastError: 'it was ended by SIGSEGV' } as const;
  expect(ready([instance(0, {}), instance(1, loop)])).toBe(
    'False=CrashLoop: tiny-1: it was ended by SIGSEGV; it was restarted 4 times, with growing pauses. Its last lines: “tiny-1 says bye”',
  );
  const memory = { ...loop, lastError: `${OUT_OF_MEMORY} of 64 MiB` };
  expect(ready([instance(0, memory)])).toMatch(
    /^False=OutOfMemory: tiny-0: it used more memory than its limit of 64 MiB;/,
  );
});
