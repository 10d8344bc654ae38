/** A workload's identity, and the names that follow from it. */
import { expect, test } from 'vitest';
import { instanceName, instanceNames, specHash, type RunSpec } from '../../reconciler/workload.ts';
import { workload } from '../helpers/workload.ts';

const SMALL: RunSpec = {
  program: { type: 'command', argv: ['node', 'server.mjs'] },
  transport: 'stdio',
  env: [],
  files: [],
};

const LARGE: RunSpec = {
  program: { type: 'package', ecosystem: 'npm', name: '@scope/server', version: '1.2.3', bin: 'mcp', args: ['--ü'] },
  transport: 'http',
  http: { port: 8080, path: '/mcp' },
  env: [
    { name: 'PLAIN', value: 'text' },
    { name: 'API_KEY', secret: { secret: 'keys', key: 'api', from: { env: 'HOST_API_KEY' } } },
    { name: 'OTHER', secret: { secret: 'keys', key: 'other', from: { file: '~/key' } } },
  ],
  files: [{ path: 'a/b.json', id: 'ce013625030ba8dba906f756967f9e9ca394464a', executable: true }],
  resources: { memoryBytes: 536_870_912, cpu: 0.5 },
};

// These hashes are the identity of everybody's running servers. If one changes, the next update of Slipway restarts every
// server of every user. Change the formula only for a very good reason, and say so in the changelog.
test('the spec hash of a run spec never changes', () => {
  expect(specHash(SMALL, 'process')).toBe('4423874099b365cc974273ebfbcaeecb6ba080269435650552b98d97668114dc');
  expect(specHash(LARGE, 'docker')).toBe('cfeeb3b3b18e6049d325e99f001b08cee6b55dd2c9c06759d6759d7df660d76e');
});

test('the order in which fields were written does not matter, the order of arguments does', () => {
  const { env, ...rest } = LARGE;
  expect(specHash({ env, ...rest }, 'docker')).toBe(specHash(LARGE, 'docker'));
  const argv = (...words: string[]): RunSpec => ({ ...SMALL, program: { type: 'command', argv: words } });
  expect(specHash(argv('a', 'b'), 'process')).not.toBe(specHash(argv('b', 'a'), 'process'));
  expect(specHash(argv('a b'), 'process')).not.toBe(specHash(argv('a', 'b'), 'process'));
});

test('whatever changes what runs changes the hash', () => {
  const variants: [RunSpec, string][] = [
    [SMALL, 'process'],
    [SMALL, 'docker'],
    [{ ...SMALL, transport: 'http', http: { path: '/mcp' } }, 'process'],
    [{ ...SMALL, env: [{ name: 'A', value: '1' }] }, 'process'],
    [{ ...SMALL, env: [{ name: 'A', value: '2' }] }, 'process'],
    [{ ...SMALL, files: [{ path: 'a', id: '1', executable: false }] }, 'process'],
    [{ ...SMALL, files: [{ path: 'a', id: '1', executable: true }] }, 'process'],
    [{ ...SMALL, resources: { cpu: 1 } }, 'process'],
  ];
  expect(new Set(variants.map(([run, driver]) => specHash(run, driver))).size).toBe(variants.length);
});

test('instances are named after the server, eight digits of the hash, and their number', () => {
  const wanted = workload({ name: 'github', argv: ['x'], replicas: 3 });
  const stem = `slipway-github-${wanted.hash.slice(0, 8)}`;
  expect(instanceName(wanted, 7)).toBe(`${stem}-7`);
  expect(instanceNames(wanted)).toEqual([`${stem}-0`, `${stem}-1`, `${stem}-2`]);
});
