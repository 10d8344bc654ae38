/** What MCP 2026-07-28 repeats in HTTP headers: names, and arguments that a tool marks. */
import { assert, property as forAll, string } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mirrored, mirrorHeaders, mirrorsOf } from '../../schemas/mirror.ts';
import { fromHeader, headersFor, toHeader } from '../../schemas/modern.ts';

describe('header values', () => {
  test('the examples of the specification', () => {
    const examples: Record<string, string> = {
      'us-west1': 'us-west1',
      'Hello, 世界': '=?base64?SGVsbG8sIOS4lueVjA==?=',
      ' padded ': '=?base64?IHBhZGRlZCA=?=',
      'line1\nline2': '=?base64?bGluZTEKbGluZTI=?=',
      '=?base64?literal?=': '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=',
    };
    for (const [value, header] of Object.entries(examples)) expect([value, toHeader(value)]).toEqual([value, header]);
  });

  test('header injection: whatever the value, it is one line of plain ASCII, and comes back the same', () => {
    assert(
      forAll(string({ unit: 'grapheme' }), (value) => {
        const header = toHeader(value);
        expect(header).toMatch(/^[\x20-\x7e]*$/);
        expect(fromHeader(header)).toBe(value);
      }),
    );
  });

  test('what has two readings, or none, is refused', () => {
    for (const header of ['=?base64?ZXU?=', '=?base64?ZX=U?=', '=?base64?ZXU=x?=', 'a\u0000b', 'ä'])
      expect([header, fromHeader(header)]).toEqual([header, undefined]);
  });

  test('a request says its method, and the name that it is about', () => {
    expect(headersFor('tools/call', { name: 'ä' })).toMatchObject({
      'Mcp-Method': 'tools/call',
      'Mcp-Name': '=?base64?w6Q=?=',
    });
    expect(headersFor('resources/read', { uri: 'mem://a' })).toMatchObject({ 'Mcp-Name': 'mem://a' });
    expect(headersFor('tools/list', {})).not.toHaveProperty('Mcp-Name');
  });
});

describe('x-mcp-header', () => {
  const property = (annotation: unknown, more: object = { type: 'string' }) => ({
    ...more,
    'x-mcp-header': annotation,
  });
  const schema = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

  test('the annotated arguments are found, however deep, and only as they stand', () => {
    const mirrors = mirrorsOf(
      schema({
        region: property('Region'),
        limit: property('Limit', { type: 'integer' }),
        deep: schema({ dry: property('Dry-Run', { type: 'boolean' }) }),
        'x-mcp-header': { type: 'string' },
      }),
    );
    if (typeof mirrors === 'string') throw new Error(mirrors);
    const args = { region: 'eu', limit: 7, deep: { dry: false } };
    expect(mirrorHeaders(mirrors, args)).toEqual({
      'mcp-param-region': 'eu',
      'mcp-param-limit': '7',
      'mcp-param-dry-run': 'false',
    });
    expect(mirrorHeaders(mirrors, { region: null, limit: 1.5, deep: 'x' })).toEqual({});
    expect(mirrors.map((mirror) => mirrored(mirror, undefined))).toEqual([undefined, undefined, undefined]);
    expect(mirrorsOf({ type: 'object' })).toEqual([]);
    expect(mirrorsOf(undefined)).toEqual([]);
  });

  test.each([
    ['an empty name', schema({ a: property('') })],
    ['a name with a line break', schema({ a: property('A\r\nHost') })],
    ['a name with a space', schema({ a: property('A B') })],
    ['a name that is no text', schema({ a: property(7) })],
    ['the same name twice, in whatever case', schema({ a: property('Region'), b: property('REGION') })],
    ['a number', schema({ a: property('A', { type: 'number' }) })],
    ['an object', schema({ a: property('A', { type: 'object' }) })],
    ['inside a list', schema({ a: { type: 'array', items: property('A') } })],
    ['inside a choice', schema({ a: { anyOf: [property('A')] } })],
    ['behind a reference', schema({ a: { $ref: '#/$defs/a' } }, { $defs: { a: property('A') } })],
    ['at the root', property('A', { type: 'string' })],
  ])('a definition is refused for %s', (_, broken) => {
    expect(mirrorsOf(broken)).toEqual(expect.any(String));
  });
});
