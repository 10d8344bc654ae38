/** What `npm start` and `npm run bench` make of words that they do not know: nothing else is started instead. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const run = (script: string, ...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL(`../../${script}`, import.meta.url)), ...args], {
    encoding: 'utf8',
  });

test.for([['--chekc'], ['--check', 'now'], ['check']])('npm start -- %j is refused before anything is made', (args) => {
  const { status, stdout, stderr } = run('cli/quickstart.ts', ...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toBe(`error: npm start knows --check, and no ${JSON.stringify(args.at(-1))}\n`);
});

test.for([
  [['gatway'], 'There is no suite gatway, but: '],
  [['--jsn'], "Unknown option '--jsn'"],
] as const)('npm run bench -- %j measures nothing', ([args, reason]) => {
  const { status, stdout, stderr } = run('test/bench/main.ts', ...args);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain(reason);
});
