/** Somebody edits, in an editor of their choice: nobody’s text is lost. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { splitWords } from '../../../cli/argv.ts';
import { CONFIG, editor, Folder, GITHUB, PAGER, PROJECTS } from './folder.ts';

describe('edit', () => {
  test('saves what comes back, and only that document changes', async () => {
    using folder = new Folder();
    const env = editor(
      folder,
      "writeFileSync(file, text.replace('servers: [ pager,', 'servers: [ # mine\\n  pager,'));",
    );
    expect(await folder.run(['edit', 'project', 'ops'], '', env)).toEqual({
      code: 0,
      out: 'project/ops edited  projects.yaml',
      err: '',
    });
    expect(folder.read('projects.yaml')).toBe(PROJECTS.replace('[ pager,', '[ # mine\n  pager,'));
  });

  test('a comment of somebody’s own that looks like a note stays', async () => {
    using folder = new Folder({ ...CONFIG, 'servers/pager.yaml': `#! mine\n${PAGER}` });
    const env = editor(folder, "writeFileSync(file, text.replace('pager.example', 'p.example'));");
    expect((await folder.run(['edit', 'server', 'pager'], '', env)).code).toBe(0);
    expect(folder.read('servers/pager.yaml')).toBe(`#! mine\n${PAGER.replace('pager.example', 'p.example')}`);
  });

  test('opens again with what is wrong on top, until it is valid', async () => {
    using folder = new Folder();
    const seen = join(folder.path, '.seen');
    const env = editor(
      folder,
      `appendFileSync('${seen}', text + '=====\\n');\nwriteFileSync(file, text.includes('#! ') ? text.replace('replica:', 'replicas:') : text.replace('replicas: 2', 'replica: 5'));`,
    );
    expect(await folder.run(['edit', 'server/github'], '', env)).toMatchObject({
      code: 0,
      out: 'server/github edited  servers/github.yaml',
    });
    expect(folder.read('servers/github.yaml')).toBe(GITHUB.replace('replicas: 2', 'replicas: 5'));
    const rounds = readFileSync(seen, 'utf8').split('=====\n');
    expect(rounds[0]).toBe(GITHUB);
    expect(rounds[1]).toMatch(
      /^#! It is not valid yet.*\n#! servers\/github.yaml:9:3: unknown-field: .*\n#! +Did you mean replicas\?\n# yaml-language-server/,
    );
  });

  test.each<[string, string, number, RegExp]>([
    ['unchanged', '', 0, /^nothing was changed$/],
    ['emptied', "writeFileSync(file, '');", 0, /^nothing was changed$/],
    [
      'renamed, and given up',
      "if (!text.includes('#! ')) writeFileSync(file, text.replace('name: github', 'name: other'));",
      1,
      /must stay one document.*\n.*\n?nothing was changed; your text is kept in (\S+)/,
    ],
    ['an editor that fails', 'process.exit(3);', 1, /ended with code 3; nothing was changed/],
  ])('%s', async (_, body, code, message) => {
    using folder = new Folder();
    const result = await folder.run(['edit', 'server', 'github'], '', editor(folder, body));
    expect(result.code).toBe(code);
    expect(result.err).toMatch(message);
    const kept = /kept in (\S+)/.exec(result.err)?.[1];
    if (kept) expect(readFileSync(kept, 'utf8')).toContain('name: other');
    expect(folder.read('servers/github.yaml')).toBe(GITHUB);
  });

  test('where nobody sits at a terminal, no editor is waited for that nobody chose', async () => {
    using folder = new Folder();
    const { code, err } = await folder.run(['edit', 'server', 'github'], '', { EDITOR: '', VISUAL: '' });
    expect(code).toBe(64);
    expect(err).toContain('no terminal here');
    expect(err).toContain('`slipway patch`');
  });

  test('somebody else’s change meanwhile is not lost, and neither is the text', async () => {
    using folder = new Folder();
    const target = join(folder.path, 'servers/github.yaml');
    const env = editor(
      folder,
      `writeFileSync('${target}', readFileSync('${target}', 'utf8').replace('was 1', 'was 7'));\nwriteFileSync(file, text.replace('replicas: 2', 'replicas: 5'));`,
    );
    const { code, err } = await folder.run(['edit', 'server', 'github'], '', env);
    expect(code).toBe(1);
    expect(err).toMatch(/changed by somebody else/);
    expect(readFileSync(/kept in (\S+)/.exec(err)?.[1] ?? '', 'utf8')).toContain('replicas: 5');
    expect(folder.read('servers/github.yaml')).toBe(GITHUB.replace('was 1', 'was 7'));
  });

  test('the setting is split into words, and no shell sees it', async () => {
    using folder = new Folder();
    const result = await folder.run(['edit', 'server', 'github'], '', {
      EDITOR: 'no-such-editor; touch pwned',
      VISUAL: '',
    });
    expect(result).toMatchObject({ code: 1 });
    expect(result.err).toContain('The editor no-such-editor; cannot be started');
    expect(existsSync(join(folder.path, 'pwned'))).toBe(false);
    expect(splitWords(`a 'b c' "d \\" $(e)" f\\ g ''`)).toEqual(['a', 'b c', 'd " $(e)', 'f g', '']);
    expect(() => splitWords('a "b')).toThrow('left open');
  });
});
