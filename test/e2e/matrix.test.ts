/** Every behaviour for every pair of eras and every transport, through the real program, with the official SDKs on both ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GATEWAY, helloServer, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { PROOFS } from './proofs.ts';
import { BEHAVIOURS, cells, nameOf, UPSTREAMS, type Upstream } from './requirements.ts';

const FIXTURES = { legacy: 'fixture.ts', modern: 'fixture-modern.ts' } as const;
const fixtureOf = ({ era }: Upstream): string =>
  fileURLToPath(new URL(`../conformance/${FIXTURES[era]}`, import.meta.url));

const desk = new Desk();
const remotes: ChildProcess[] = [];
let gateway = '';

const resource = (kind: string, name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'slipway/v1', kind, metadata: { name }, spec });

async function specOf(upstream: Upstream): Promise<object> {
  if (upstream.transport === 'stdio') return { command: [process.execPath, fixtureOf(upstream)] };
  const remote = spawn(process.execPath, [fixtureOf(upstream), `--${upstream.transport}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  remotes.push(remote);
  const [chunk] = (await once(remote.stdout, 'data')) as [Buffer];
  return { url: chunk.toString().trim(), transport: upstream.transport, privateNetwork: true };
}

beforeAll(async () => {
  const files: Record<string, string> = {
    'gateway.yaml': GATEWAY,
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello'),
  };
  for (const upstream of UPSTREAMS) {
    files[`${upstream.name}.yaml`] = resource('Server', upstream.name, await specOf(upstream));
    files[`project-${upstream.name}.yaml`] = resource('Project', upstream.name, { servers: ['hello', upstream.name] });
  }
  desk.push(files);
  gateway = await (await desk.up()).serving;
  await desk.sync();
});

afterAll(async () => {
  for (const remote of remotes) remote.kill();
  await desk[Symbol.asyncDispose]();
});

test('every behaviour has a proof, and every proof a behaviour', () => {
  const unproved = cells().filter(({ behaviour }) => !PROOFS[behaviour.id]);
  expect(unproved.map(nameOf)).toEqual([]);
  expect(Object.keys(PROOFS).filter((id) => !BEHAVIOURS.some((behaviour) => behaviour.id === id))).toEqual([]);
});

for (const cell of cells()) test(nameOf(cell), async () => PROOFS[cell.behaviour.id]?.({ ...cell, gateway }));
