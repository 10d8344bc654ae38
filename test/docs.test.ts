/** Docs that cannot lie: what they list is compared with what there is. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { COMMANDS } from '../cli/commands/index.ts';
import { ERRORS } from '../schemas/errors.ts';
import { KINDS } from '../schemas/kinds/index.ts';
import { reference } from '../schemas/reference.ts';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');
const README = read('README.md');
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;

test('the reference is fresh (npm run schemas)', () => {
  expect(read('schemas/json/README.md')).toBe(reference());
});

test('every error code and every kind is documented', () => {
  const text = read('schemas/json/README.md');
  for (const code of Object.keys(ERRORS)) expect(text).toContain(`| \`${code}\` |`);
  for (const kind of Object.keys(KINDS)) expect(text).toContain(`### ${kind}`);
});

test('the README lists the commands there are, and no others', () => {
  const listed = [...README.matchAll(/^\| `slipway ([\w-]+)/gm)].map(([, name]) => name);
  expect(listed.sort()).toEqual(Object.keys(COMMANDS).sort());
});

test('every command that the docs show exists', () => {
  for (const file of ['README.md', 'AGENTS.md', 'CONTRIBUTING.md', 'SECURITY.md', 'examples/quickstart/README.md']) {
    const text = read(file);
    const shown = [...text.matchAll(/(?:^|`|&& )slipway ([a-z][a-z-]*)/gm)].map(([, name]) => name ?? '');
    expect(
      shown.filter((name) => !(name in COMMANDS)),
      file,
    ).toEqual([]);
    for (const [, script] of text.matchAll(/npm run (?:--silent )?([\w:]+)/g))
      expect(Object.keys(scripts), file).toContain(script);
  }
});

test('every flag of `up` that the README names exists', async () => {
  const { command } = (await COMMANDS['up']?.load()) ?? {};
  const row = /^\| `slipway up` .*$/m.exec(README)?.[0] ?? '';
  const named = [...row.matchAll(/--[a-z-]+/g)].map(([flag]) => flag);
  expect(named.length).toBeGreaterThan(5);
  for (const flag of named)
    expect(
      command?.options?.some((option) => option.flags.includes(flag)),
      flag,
    ).toBe(true);
});

test('AGENTS.md is a short guide', () => {
  const lines = read('AGENTS.md').split('\n').length;
  expect(lines).toBeGreaterThanOrEqual(100);
  expect(lines).toBeLessThanOrEqual(250);
});

test('local links in the docs lead somewhere', () => {
  for (const file of ['README.md', 'AGENTS.md', 'CONTRIBUTING.md', 'SECURITY.md']) {
    for (const [, target] of read(file).matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      expect(() => read(target ?? ''), `${file} → ${target}`).not.toThrow();
  }
});
