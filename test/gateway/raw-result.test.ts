/** Large results are found in answers without parsing them: never another one than a parser would find. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findResult } from '../../gateway/upstream/raw-result.ts';

/** Bounded, so that a slow machine tries less instead of failing. */
const EFFORT = { numRuns: 500, interruptAfterTimeLimit: 8_000, endOnFailure: true } as const;

const find = (text: string | Buffer, id = 7) => findResult(Buffer.from(text as string), id);
const textOf = (text: string | Buffer, id = 7): string | undefined => {
  const found = find(text, id);
  return found && Buffer.concat(found.json.parts).toString();
};

const TRICKY = ['"', '\\', '\\"', '{', '}', '[', ']', ',', ':', '"id":8', '},"id":8', '\u2028', 'é😀', '\n', '\0'];
const texts = fc.oneof(
  fc.string(),
  fc.array(fc.constantFrom(...TRICKY)).map((parts) => parts.join('')),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, fc.jsonValue(), texts, tie('list'), tie('object')),
  list: fc.array(tie('value')),
  object: fc.dictionary(texts, tie('value')),
}));
const result = fc.dictionary(fc.oneof(texts, fc.constantFrom('isError', '_meta', 'id', 'result')), value);
const space = fc.constantFrom('', ' ', '\n', '\r\n\t ');

test('any result is found in any order and with any white space, as the bytes it came in', () => {
  fc.assert(
    fc.property(
      result,
      fc.integer({ min: 0, max: 2 ** 40 }),
      fc.shuffledSubarray(['jsonrpc', 'id', 'result'], { minLength: 3 }),
      space,
      fc.constantFrom(0, 2),
      (said, id, order, gap, indent) => {
        const own = JSON.stringify(said, undefined, indent);
        const members = { jsonrpc: '"2.0"', id: String(id), result: own };
        const whole = order.map((key) => `${gap}"${key}"${gap}:${gap}${members[key as 'id']}${gap}`).join(',');
        const found = find(`${gap}{${whole}}${gap}`, id);
        // A name of its own that is escaped could be any, and is left to a parser.
        if (!found) {
          expect(Object.keys(said).some((name) => JSON.stringify(name).includes('\\'))).toBe(true);
          return;
        }
        expect(Buffer.concat(found.json.parts).toString()).toBe(own);
        expect(found.value()).toEqual(JSON.parse(own));
        expect(found.isError).toBe(said['isError'] === true);
        for (const name of Object.keys(said))
          if (Buffer.byteLength(name) <= 64) expect(found.fields.has(name)).toBe(true);
      },
    ),
    EFFORT,
  );
});

test('an answer that was cut off, or into which something was put, is never taken for another one', () => {
  fc.assert(
    fc.property(result, fc.nat(), fc.constantFrom('', ...TRICKY), (said, where, more) => {
      const whole = `{"jsonrpc":"2.0","id":7,"result":${JSON.stringify(said)}}`;
      const at = where % whole.length;
      for (const text of [whole.slice(0, at), whole.slice(0, at) + more + whole.slice(at)]) {
        // As bytes, half a character is another one.
        const damaged = Buffer.from(text).toString();
        const found = textOf(damaged);
        if (found === undefined) continue;
        // Either both are no JSON, or both say the same.
        const parsed = parse(damaged) as { result: unknown } | undefined;
        expect(parse(`{"jsonrpc":"2.0","id":"client","result":${found}}`)).toEqual(
          parsed && { jsonrpc: '2.0', id: 'client', result: parsed.result },
        );
      }
    }),
    EFFORT,
  );
});

function parse(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

describe('left to a parser', () => {
  const answers: Readonly<Record<string, string>> = {
    'answer smuggling: a result that ends early': '{"jsonrpc":"2.0","id":7,"result":{"a":{}},"id":8,"x":{}}',
    'two ids': '{"jsonrpc":"2.0","id":8,"result":{},"id":7}',
    'two versions': '{"jsonrpc":"2.0","jsonrpc":"2.0","id":7,"result":{}}',
    'two results': '{"jsonrpc":"2.0","id":7,"result":{},"result":{}}',
    'no id': '{"jsonrpc":"2.0","result":{}}',
    'no version': '{"id":7,"result":{}}',
    'the answer to another request': '{"jsonrpc":"2.0","id":8,"result":{}}',
    'an id that is text': '{"jsonrpc":"2.0","id":"7","result":{}}',
    'an id beyond what numbers hold': '{"jsonrpc":"2.0","id":70000000000000000000,"result":{}}',
    'an error': '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"no"}}',
    'a request': '{"jsonrpc":"2.0","id":7,"method":"ping"}',
    'a result that is no object': '{"jsonrpc":"2.0","id":7,"result":[{}]}',
    'another field beside it': '{"jsonrpc":"2.0","id":7,"result":{},"extra":1}',
    'a batch': '[{"jsonrpc":"2.0","id":7,"result":{}}]',
    'two messages': '{"jsonrpc":"2.0","id":7,"result":{}}{"jsonrpc":"2.0","id":7,"result":{}}',
    'a field that is there twice': '{"jsonrpc":"2.0","id":7,"result":{"isError":false,"isError":true}}',
    'a field whose name is escaped': String.raw`{"jsonrpc":"2.0","id":7,"result":{"is\u0045rror":true}}`,
    'an end that is missing': '{"jsonrpc":"2.0","id":7,"result":{"a":{"b":1},"id":7}',
    nothing: '',
  };
  for (const [what, answer] of Object.entries(answers)) test(what, () => expect(find(answer)).toBeUndefined());

  test('bytes that are no UTF-8', () => {
    const bytes = Buffer.from('{"jsonrpc":"2.0","id":7,"result":{"a":"?"}}');
    bytes[bytes.indexOf('?')] = 0xff;
    expect(find(bytes)).toBeUndefined();
  });
});

test('says whether the tool failed, and nothing that is further inside', () => {
  const failed = (inner: string): boolean | undefined => find(`{"jsonrpc":"2.0","id":7,"result":${inner}}`)?.isError;
  expect(failed('{"content":[],"isError" :\n true}')).toBe(true);
  expect(failed('{"isError":false,"content":[{"isError":true}]}')).toBe(false);
  expect(failed('{"content":"\\"isError\\":true"}')).toBe(false);
});

test('fields can be put in front, whether there are others or none', () => {
  const put = (inner: string): string => {
    const found = find(`{"jsonrpc":"2.0","id":7,"result":${inner}}`)?.with('"a":1');
    return Buffer.concat(found?.parts ?? []).toString();
  };
  expect([put('{}'), put('{ }'), put('{"b":2}')].map((json) => JSON.parse(json) as unknown)).toEqual([
    { a: 1 },
    { a: 1 },
    { a: 1, b: 2 },
  ]);
});
