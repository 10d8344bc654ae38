/** The manual: what is checked in is fresh, and man pages are such. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { escaped, manPages, manPaths } from '../../cli/manual/man.ts';
import { pages } from '../../cli/manual/pages.ts';
import { commandReference } from '../../cli/manual/reference.ts';
import { required } from '../helpers/required.ts';
import { tempDir } from '../helpers/temp.ts';

const REFERENCE = fileURLToPath(new URL('../../docs/reference/commands.md', import.meta.url));
const all = await pages();

test('the reference of commands and the list of man pages are fresh (npm run docs)', async () => {
  expect(readFileSync(REFERENCE, 'utf8')).toBe(await commandReference());
  expect(manifest.man).toEqual(await manPaths());
});

test('every command has examples of it, or of those below it', () => {
  for (const { name } of all) {
    const examples = all.filter((page) => `${page.name} `.startsWith(`${name} `)).flatMap((page) => page.examples);
    // Kinds are made alike; some of them stand for all.
    if (!name.startsWith('slipway create ')) expect(examples.length, name).toBeGreaterThan(0);
    for (const example of examples) expect(example).toContain(name.split(' ').slice(0, 2).join(' '));
  }
});

describe('man pages', () => {
  test('there is one for the program and for every command', async () => {
    const files = Object.keys(await manPages('1.2.3', '2026-01-02'));
    expect(files).toEqual(all.map(({ name }) => `${name.replaceAll(' ', '-')}.1`));
    expect(files).toEqual(expect.arrayContaining(['slipway.1', 'slipway-get.1', 'slipway-create-server.1']));
  });

  const hasMandoc = spawnSync('mandoc', ['/dev/null']).error === undefined;
  required('mandoc', hasMandoc);
  test.runIf(hasMandoc)('mandoc has nothing against them, and shows what they say', async () => {
    using folder = tempDir();
    const texts = Object.entries(await manPages('1.2.3', '2026-01-02'));
    for (const [file, text] of texts) writeFileSync(folder.at(file), text);
    const lint = spawnSync('mandoc', ['-Tlint', '-Wwarning', ...texts.map(([file]) => file)], {
      cwd: folder.path,
      encoding: 'utf8',
    });
    expect(lint.stdout + lint.stderr).toBe('');
    const { stdout } = spawnSync('mandoc', ['-Tascii', '-Owidth=200', folder.at('slipway-get.1')], {
      encoding: 'utf8',
    });
    // What is bold is printed, taken back, and printed again.
    const plain = [...stdout].filter((char, at) => char !== '\b' && stdout[at + 1] !== '\b').join('');
    expect(plain).toContain('slipway-get - list resources and how they do');
    expect(plain).toContain("slipway get servers 'git*' -l team=core -o wide");
    expect(plain).toContain('-o, --output <format>');
  });

  test('text is never taken for a request, and can be copied', () => {
    expect(escaped(".so /etc/passwd\n'br\n")).toBe('\\&.so /etc/passwd\n\\(aqbr');
    expect(escaped(String.raw`a\fB -x ~/é`)).toBe(String.raw`a\efB \-x \(ti/\[u00E9]`);
  });
});
