/** A project that chooses its servers by a label, as a person would run it: who gets the label joins, who loses it leaves. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { client } from '../gateway/helpers/gateway.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk, type Running } from '../helpers/slipway.ts';

const labelled = (name: string, team: string): string =>
  helloServer(name).replace(`{ name: ${name} }`, `{ name: ${name}, labels: { team: ${team} } }`);

const PROJECT = `apiVersion: slipway/v1
kind: Project
metadata: { name: core }
spec:
  servers: [zeta]
  serverSelector:
    matchExpressions:
      - { key: team, operator: In, values: [core, platform] }
`;

let desk: Desk;
let running: Running;
beforeAll(async () => {
  desk = new Desk();
  desk.push({
    'gateway.yaml': GATEWAY,
    'hello.mjs': HELLO_PROGRAM,
    'core.yaml': PROJECT,
    'alpha.yaml': labelled('alpha', 'core'),
    'beta.yaml': labelled('beta', 'data'),
    'zeta.yaml': labelled('zeta', 'data'),
  });
  running = await desk.up();
  // A server that takes long to start is there only then.
  expect((await desk.sync()).code).toBe(0);
});
afterAll(() => desk[Symbol.asyncDispose]());

const serversSeen = async (era: 'legacy' | 'modern'): Promise<string[]> => {
  const url = `${await running.serving}/projects/core/mcp`;
  await using agent = era === 'modern' ? await modernClient(url) : await client(url);
  const { tools } = await agent.listTools();
  return [...new Set(tools.map(({ name }) => name.split('__', 1)[0] ?? ''))];
};

test('the plan tells who comes and goes, agents of both eras see it, and so does who looks', async () => {
  expect(await serversSeen('legacy')).toEqual(['zeta', 'alpha']);
  desk.push({ 'alpha.yaml': labelled('alpha', 'data'), 'beta.yaml': labelled('beta', 'platform') });
  const planned = await desk.slipway(['plan', '--state-dir', desk.state]);
  expect(planned.out).toContain('- selected.Server/alpha: true');
  expect(planned.out).toContain('+ selected.Server/beta: true');
  await desk.sync();
  expect(await serversSeen('legacy')).toEqual(['zeta', 'beta']);
  expect(await serversSeen('modern')).toEqual(['zeta', 'beta']);
  const { out } = await desk.slipway(['describe', 'project/core', 'server/beta', '--state-dir', desk.state]);
  expect(out).toContain('refers to Server/zeta');
  expect(out).toContain('selects Server/beta');
  expect(out).toContain('referred to by Project/core');
  const attached = await desk.slipway(['get', 'serverattachments', '--state-dir', desk.state, '-o', 'name']);
  expect(
    attached.out
      .trim()
      .split('\n')
      .map((line) => line.split('/').slice(-2).join('/')),
  ).toEqual(['core/zeta', 'core/beta']);
});
