/** Every bad config gets exactly the issues that `test/fixtures/invalid/expected.json` declares; every good one none. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { KINDS } from '../../schemas/kinds/index.ts';
import { parseFile, refuse } from '../../schemas/parse.ts';
import { formatIssue, type Issue, type Resource } from '../../schemas/resource.ts';
import { expectedOf, FIXTURES, issuesOf, readCases, readExpected, writeGeneratedCases } from '../helpers/corpus.ts';

const invalid = await readCases(join(FIXTURES, 'invalid'));
const valid = await readCases(join(FIXTURES, 'valid'));
const expected = await readExpected();

describe('invalid', () => {
  test('each case is declared, and each declaration has its case', () => {
    expect(invalid.map((entry) => entry.name)).toEqual(Object.keys(expected).sort());
    expect(invalid.length).toBeGreaterThanOrEqual(50);
  });

  test.each(invalid)('$name', ({ name, files }) => {
    const issues = issuesOf(files);
    expect(issues.map(expectedOf)).toEqual(expected[name]);
    for (const issue of issues) expectReadable(issue);
  });

  test.each(invalid)('$name, whatever the order of the files', ({ name, files }) => {
    expect(issuesOf(files.toReversed()).map(expectedOf)).toEqual(expected[name]);
  });
});

describe('hints', () => {
  test.each([
    ['unknown-field-document.yaml', 'Did you mean metadata?'],
    ['unknown-field-metadata.yaml', 'Did you mean labels?'],
    ['unknown-field-spec.yaml', 'Did you mean replicas?'],
    ['unknown-field-package.yaml', 'Did you mean args?'],
    ['unknown-field-env-item.yaml', 'Did you mean value?'],
    ['unknown-field-secret-ref', 'Known here: name, key.'],
    ['unknown-field-probe.yaml', 'Did you mean tool?'],
    ['unknown-field-rollout.yaml', 'Did you mean strategy?'],
    ['unknown-field-http.yaml', 'Did you mean port?'],
    ['unknown-field-gateway.yaml', 'Did you mean allowedHosts?'],
    ['unknown-field-project.yaml', 'Did you mean servers?'],
    ['unknown-field-secret.yaml', 'Did you mean env?'],
    ['unknown-field-token.yaml', 'Did you mean projects?'],
    ['unknown-kind.yaml', 'Did you mean Server?'],
    ['unknown-kind-far.yaml', `Kinds: ${Object.keys(KINDS).join(', ')}.`],
    ['kind-plural.yaml', 'Did you mean Server?'],
    ['bad-transport.yaml', 'Did you mean http?'],
    ['bad-lifecycle.yaml', 'Did you mean onDemand?'],
    ['version-number.yaml', 'Put the value in quotes to make it a string.'],
    ['env-value-number.yaml', 'Put the value in quotes to make it a string.'],
    ['dangling-server-in-project', 'Did you mean everything?'],
    ['dangling-secret-key', 'Did you mean token?'],
    ['bad-replicas.yaml', 'See `slipway schema Server` for what is allowed.'],
    ['wrong-type-project.yaml', 'See `slipway schema Project` for the type.'],
  ])('%s: %s', (name, hint) => {
    const files = invalid.find((entry) => entry.name === name)?.files ?? [];
    expect(issuesOf(files).map((issue) => issue.hint)).toContain(hint);
  });

  test('a value with credentials is not repeated in the issue', () => {
    const files = invalid.find((entry) => entry.name === 'url-credentials.yaml')?.files ?? [];
    expect(issuesOf(files).map(formatIssue).join('\n')).toMatch(/^url-credentials\.yaml:5:8: invalid-value: /);
    expect(JSON.stringify(issuesOf(files))).not.toContain('hunter2');
  });

  test('a circle is shown as a path', () => {
    const files = invalid.find((entry) => entry.name === 'cycle-three.yaml')?.files ?? [];
    expect(issuesOf(files)[0]?.message).toContain('Server/a → Server/b → Server/c → Server/a');
  });

  test('a duplicate and a second Gateway say where the first one is', () => {
    const messages = invalid
      .filter((entry) => ['duplicate-across-files', 'two-gateways'].includes(entry.name))
      .flatMap((entry) => issuesOf(entry.files).map((issue) => issue.message));
    expect(messages).toEqual([expect.stringContaining('a/server.yaml:1'), expect.stringContaining('a.yaml:1')]);
  });
});

describe('valid', () => {
  test('there are enough', () => expect(valid.length).toBeGreaterThanOrEqual(25));

  test.each(valid)('$name', ({ files }) => {
    expect(issuesOf(files)).toEqual([]);
  });

  test('a hash in upper case is normalised', () => {
    const [given, normal] = ['token-upper-case-hash.yaml', 'token-no-projects.yaml'].map(onlyResource);
    expect(given?.spec).toEqual({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(normal?.spec).toMatchObject({ sha256: z.object({ sha256: z.string() }).parse(given?.spec).sha256 });
  });

  test('anchors stand for what they name', () => {
    const resource = onlyResource('anchors.yaml');
    expect(resource?.metadata.labels).toEqual({ app: 'a' });
    expect(resource?.spec).toMatchObject({ timeout: '30s', rollout: { timeout: '30s', drain: '30s' } });
  });

  test('line breaks and byte order marks of Windows leave no trace', () => {
    expect(onlyResource('crlf')?.spec).toMatchObject({ command: ['node', 'server.js'], description: 'Two\nlines.\n' });
    expect(onlyResource('bom.yaml')?.source).toEqual({ file: 'bom.yaml', line: 1, column: 1 });
  });

  test('a resource knows where it was written', () => {
    const files = valid.find((entry) => entry.name === 'comments.yaml')?.files ?? [];
    const places = files.flatMap((file) => parseFile(file.path, file.content).resources.map((one) => one.source.line));
    expect(places).toEqual([4, 15]);
  });

  function onlyResource(name: string): Resource | undefined {
    const files = valid.find((entry) => entry.name === name)?.files ?? [];
    return files.flatMap((file) => parseFile(file.path, file.content).resources)[0];
  }
});

describe('generated', () => {
  test('cases that cannot stand in git', { timeout: 120_000 }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'slipway-corpus-'));
    try {
      const generated = await writeGeneratedCases(dir);
      const readable = generated.filter((entry) => !entry.link);
      const cases = await readCases(dir);
      expect(readable.length).toBeGreaterThanOrEqual(7);
      for (const { name, expected: wanted } of readable) {
        const issues = issuesOf(cases.find((entry) => entry.name === name)?.files ?? []);
        expect(issues.map(expectedOf), name).toEqual(wanted);
        for (const issue of issues) expectReadable(issue);
      }
      const links = generated.filter((entry) => entry.link);
      expect(links.length).toBeGreaterThanOrEqual(5);
      for (const { expected: wanted } of links) {
        const refused = wanted.flatMap((issue) => refuse(issue.file, issue.code).issues);
        expect(refused.map(expectedOf)).toEqual(wanted);
        for (const issue of refused) expectReadable(issue);
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

function expectReadable(issue: Issue): void {
  for (const text of [issue.message, issue.hint]) {
    expect(text.trim()).not.toBe('');
    expect(text).not.toMatch(/undefined|native code|\[object|NaN/);
  }
  expect(formatIssue(issue)).toContain(`${issue.file}:${issue.line}:${issue.column}: ${issue.code}: `);
}
