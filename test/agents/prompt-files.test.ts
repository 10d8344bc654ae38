/** Prompts whose text is a file of the config repo: what is taken in, what is refused, and that a change of it is one. */
import { expect, test } from 'vitest';
import { asIfRunning, compile, directorySource, memoryParseCache, plan } from '../../reconciler/index.ts';
import { load } from '../../reconciler/load.ts';
import { MAX_PROMPT } from '../../schemas/kinds/prompt.ts';
import { resource } from '../helpers/config.ts';
import { writeFiles, type Files } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

const { signal } = new AbortController();

async function loadFiles(files: Files) {
  using dir = tempDir();
  writeFiles(dir.path, files);
  await using source = directorySource(dir.path);
  return await load(source, (await source.fetch(signal)).id, memoryParseCache(), signal);
}

const prompt = (name: string, file: string): string => resource('Prompt', name, { file });

test('the file is part of the Prompt, and no config of its own', async () => {
  const text = 'kind: not a resource\n';
  const loaded = await loadFiles({
    'prompts.yaml': `${prompt('rules', 'texts/rules.yaml')}\n---\n${prompt('same', 'texts/rules.yaml')}\n`,
    'texts/rules.yaml': `\uFEFF${text}`,
  });
  expect(loaded.issues).toEqual([]);
  const { prompts } = compile(loaded).draft;
  expect(prompts).toEqual({ rules: { content: text, priority: 5 }, same: { content: text, priority: 5 } });
});

test('what is no text that can be used is refused, with the place that names it', async () => {
  const { issues } = await loadFiles({
    'a.yaml': ['gone.md', 'empty.md', 'long.md', 'binary.md']
      .map((file) => prompt(file.slice(0, -3), file))
      .join('\n---\n'),
    'empty.md': ' \n',
    'long.md': 'x'.repeat(MAX_PROMPT + 1),
    'binary.md': Uint8Array.of(0xff, 0xfe, 0x00),
  });
  expect(issues.map(({ code, path, message }) => [code, path, message])).toEqual([
    ['dangling-reference', 'spec.file', 'There is no file gone.md.'],
    ['invalid-value', 'spec.file', 'empty.md: it is empty.'],
    ['invalid-value', 'spec.file', `long.md: it is over ${MAX_PROMPT} characters.`],
    ['invalid-value', 'spec.file', 'binary.md: it is not UTF-8 text.'],
  ]);
});

test('another text in the file is a change of the Prompt', async () => {
  const of = (text: string) => loadFiles({ 'a.yaml': prompt('rules', 'rules.md'), 'rules.md': text });
  const [before, after] = [await of('Be kind.'), await of('Be brief.')];
  const { changes } = plan(compile(after), asIfRunning(before));
  expect(changes).toMatchObject([
    { address: 'Prompt/rules', action: 'update', fields: [{ before: 'Be kind.', after: 'Be brief.' }] },
  ]);
  expect(plan(compile(after), asIfRunning(after)).changes.filter(({ action }) => action !== 'noop')).toEqual([]);
});
