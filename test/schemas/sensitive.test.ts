/** No secret value survives where people could read it. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { looksSecret, MASK, redactor } from '../../schemas/sensitive.ts';

const secret = fc.string({ minLength: 4, maxLength: 40, unit: 'binary' });
const filler = fc.string({ maxLength: 20, unit: 'binary' });

describe('redactor', () => {
  test('no value of 4 characters or more survives, wherever it stands and whatever the others are', () => {
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 6 }),
        fc.array(filler, { maxLength: 6 }),
        (values, between) => {
          const text =
            values.map((value, index) => value + (between[index] ?? '')).join('') + values.toReversed().join(' ');
          const shown = redactor(values)(text);
          for (const value of values) expect(shown.includes(value)).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('not even values that are made of, or overlap with, one another or the mask', () => {
    const unit = fc.constantFrom('a', 'b', '*', '$', '$&', '.', '\\');
    const tangled = fc.array(unit, { minLength: 4, maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(tangled, { minLength: 1, maxLength: 5 }), fc.array(tangled), (values, rest) => {
        const shown = redactor(values)([...values, ...rest].join(''));
        for (const value of values) expect(shown.includes(value), JSON.stringify({ values, shown })).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['the mask completes another value', ['****', 'aaaa'], 'aaaaaaaa'],
    ['the mask and what follows make a value', ['***a', 'bbbb'], 'bbbba'],
    ['what is left of a value makes it again', ['****'], '*****'],
  ])('nor where %s', (_, values, text) => {
    const shown = redactor(values)(text);
    for (const value of values) expect(shown).not.toContain(value);
  });

  test('text without a secret is left as it is', () => {
    fc.assert(
      fc.property(fc.array(secret), fc.string(), (values, text) => {
        fc.pre(values.every((value) => !text.includes(value)));
        expect(redactor(values)(text)).toBe(text);
      }),
    );
  });

  test('the longer of two values goes first, so that no tail is left', () => {
    expect(redactor(['hunter', 'hunter2'])('hunter2 hunter')).toBe(`${MASK} ${MASK}`);
  });

  test('values are text, not patterns, and the mask is no pattern either', () => {
    expect(redactor(['a.c*', '$&$1'])('abcc a.c* $&$1')).toBe(`abcc ${MASK} ${MASK}`);
  });

  test('values of less than 4 characters are too common to hide', () => {
    expect(redactor(['a', '', 'abc'])('abc and a')).toBe('abc and a');
  });
});

describe('looksSecret', () => {
  test.each([
    'TOKEN',
    'GITHUB_TOKEN',
    'token',
    'API_KEY',
    'APIKEY',
    'OPENAI_API_KEY',
    'DB_PASSWORD',
    'DB_PASSWD',
    'SSH_PASSPHRASE',
    'SECRET',
    'AWS_SECRET_ACCESS_KEY',
    'CLIENT-SECRET',
    'PRIVATE_KEY',
    'GOOGLE_CREDENTIALS',
    'CREDENTIAL',
    'npm_config_//npm.example.com/:_auth',
    'PROXY.AUTH',
    'x-api-key',
  ])('%s does', (name) => {
    expect(looksSecret(name)).toBe(true);
  });

  test.each([
    'PATH',
    'HOME',
    'LOG_LEVEL',
    'PORT',
    'TOKENIZER',
    'MAX_TOKENS',
    'AUTHOR',
    'AUTHORITY',
    'SECRETARY',
    'KEYBOARD',
    '',
  ])('%j does not', (name) => {
    expect(looksSecret(name)).toBe(false);
  });
});
