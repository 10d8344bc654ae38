/** The manual: what is checked in is fresh, and man pages are such. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../cli/commands/index.ts';
import manifest from '../../package.json' with { type: 'json' };
import { escaped, manPages, manPaths } from '../../cli/manual/man.ts';
import { commandReference } from '../../cli/manual/reference.ts';
import { required } from '../helpers/required.ts';
import { tempDir } from '../helpers/temp.ts';

const REFERENCE = fileURLToPath(new URL('../../docs/reference/commands.md', import.meta.url));
const commands = await Promise.all(
  Object.entries(COMMANDS).map(async ([name, { load }]) => ({ name, examples: (await load()).command.examples ?? [] })),
);

test('the reference of commands and the list of man pages are fresh (npm run docs)', async () => {
  expect(readFileSync(REFERENCE, 'utf8')).toBe(await commandReference());
  expect(manifest.man).toEqual(await manPaths());
});

test('the help of every command has examples of it', () => {
  for (const { name, examples } of commands) {
    expect(examples.length, name).toBeGreaterThan(0);
    for (const example of examples) expect(example).toContain(`slipway ${name}`);
  }
});

describe('man pages', () => {
  test('there is one for the program and for every command', async () => {
    const files = Object.keys(await manPages('1.2.3', '2026-01-02'));
    for (const { name } of commands) expect(files).toContain(`slipway-${name}.1`);
    expect(files).toEqual(expect.arrayContaining(['slipway.1', 'slipway-create-server.1']));
  });

  const hasMandoc = spawnSync('mandoc', ['/dev/null']).error === undefined;
  required('mandoc', hasMandoc);
  test.runIf(hasMandoc)('mandoc has nothing against them, and shows what they say', async () => {
    using folder = tempDir();
    const pages = Object.entries(await manPages('1.2.3', '2026-01-02'));
    for (const [file, text] of pages) writeFileSync(folder.at(file), text);
    const lint = spawnSync('mandoc', ['-Tlint', '-Wwarning', ...pages.map(([file]) => file)], {
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
