/** The lock of a state directory: held by one, also where many start at once over what a dead one left. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { tryLock } from '../../reconciler/lock-file.ts';
import { openState } from '../../reconciler/state.ts';
import { tempDir } from '../helpers/temp.ts';

const DEAD = JSON.stringify({ pid: 2 ** 22 + 1, started: '1' });

test('is told with who holds it, and free when it is given back', () => {
  using dir = tempDir();
  const path = dir.at('lock');
  for (const left of [undefined, DEAD, '', 'half a lo']) {
    if (left !== undefined) writeFileSync(path, left);
    using held = tryLock(path) as Disposable;
    expect(Symbol.dispose in held).toBe(true);
    expect(tryLock(path)).toMatchObject({ pid: process.pid });
    expect(readdirSync(dir.path)).toEqual(['lock']);
  }
  expect(readdirSync(dir.path)).toEqual([]);
});

test('what another has taken meanwhile is not removed with one’s own', () => {
  using dir = tempDir();
  const mine = tryLock(dir.at('lock')) as Disposable;
  writeFileSync(dir.at('lock'), DEAD);
  mine[Symbol.dispose]();
  expect(readFileSync(dir.at('lock'), 'utf8')).toBe(DEAD);
});

/** Waits for the word, so that all of them start in the same moment; holds what it got until its input ends. */
const STARTER = `
  const { openState } = await import(process.argv[1]);
  process.stdin.once('data', () => {
    try { globalThis.held = openState(process.argv[2]); console.log('held'); } catch (error) { console.log(error.code); }
  });
  process.stdin.on('end', () => process.exit());
  console.log('ready');
`;

test('of many that start at once, one gets the state directory', { timeout: 120_000 }, async () => {
  using dir = tempDir();
  openState(dir.path)[Symbol.dispose]();
  const state = new URL('../../reconciler/state.ts', import.meta.url).href;
  const starters = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', STARTER, state, dir.path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  });
  const heard = (): Promise<string[]> =>
    Promise.all(starters.map(async ({ lines }) => String((await lines.next()).value)));
  try {
    expect(new Set(await heard())).toEqual(new Set(['ready']));
    writeFileSync(dir.at('lock'), DEAD);
    for (const { child } of starters) child.stdin.write('go\n');
    expect((await heard()).sort()).toEqual(['held', 'state-locked', 'state-locked', 'state-locked']);
  } finally {
    for (const { child } of starters) child.stdin.end();
  }
});
