/** Code mode as a config says it, and what a script gets of results. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../reconciler/compile.ts';
import { valueOf } from '../../gateway/script/value.ts';
import { desired, resource } from '../helpers/config.ts';

const DEFAULTS = {
  timeoutMs: 30_000,
  cpuMs: 5_000,
  memoryBytes: 64 * 2 ** 20,
  maxCalls: 50,
  maxConcurrentCalls: 8,
  scriptBytes: 64 * 1024,
  resultBytes: 64 * 1024,
  consoleBytes: 8 * 1024,
};

test('code mode is off until the config says so, for a project or for all servers', () => {
  const routes = (gateway: object, project: object) =>
    compile(
      desired({
        'g.yaml': resource('Gateway', 'main', { ...gateway }),
        'p.yaml': resource('Project', 'p', { ...project }),
      }),
    ).draft.routes;
  const modes = (gateway: object, project: object): unknown[] => {
    const found = routes(gateway, project);
    return [found['/mcp']?.codeMode, found['/projects/p/mcp']?.codeMode];
  };
  expect(modes({}, {})).toEqual([undefined, undefined]);
  expect(modes({ codeMode: {} }, { codeMode: { enabled: false } })).toEqual([DEFAULTS, undefined]);
  const given = { timeout: '1m', memory: '8Mi', maxCalls: 3, maxResultSize: '1Ki' };
  const expected = { ...DEFAULTS, timeoutMs: 60_000, memoryBytes: 8 * 2 ** 20, maxCalls: 3, resultBytes: 1024 };
  expect(modes({}, { codeMode: given })).toEqual([undefined, expected]);
});

describe('what a script gets of a result', () => {
  const text = (value: string) => ({ type: 'text', text: value });
  const image = { type: 'image', data: 'AAAA', mimeType: 'image/png' };

  test.for<[string, Parameters<typeof valueOf>[0], unknown]>([
    ['structured content first', { structuredContent: { a: 1 }, content: [text('{"b":2}')] }, { a: 1 }],
    ['else text as JSON', { content: [text('{"b":[2]}')] }, { b: [2] }],
    ['else text', { content: [text('b: 2')] }, 'b: 2'],
    ['several blocks, each', { content: [text('[1]'), text('two'), image] }, [[1], 'two', image]],
    ['what is no text, as it is', { content: [image] }, image],
    ['nothing', { content: [] }, null],
    ['nothing at all', {}, null],
  ])('%s', ([, result, expected]) => expect(valueOf(result)).toEqual(expected));

  test('a failure is thrown, in the tool’s words', () => {
    expect(() => valueOf({ isError: true, content: [text('No such'), image, text('note.')] })).toThrow(
      'No such\nnote.',
    );
    expect(() => valueOf({ isError: true })).toThrow('does not say why');
  });
});
