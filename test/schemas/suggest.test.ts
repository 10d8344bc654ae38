/** “Did you mean”. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { suggest } from '../../schemas/suggest.ts';

const FIELDS = ['description', 'replicas', 'env', 'url', 'timeout', 'idleTimeout', 'probes'];

describe('suggest', () => {
  test.each([
    ['replica', 'replicas'],
    ['replcas', 'replicas'],
    ['desciption', 'description'],
    ['Timeout', 'timeout'],
    ['idletimeout', 'idleTimeout'],
    ['idle_timeout', 'idleTimeout'],
    ['envs', 'env'],
    ['uri', 'url'],
  ])('%s → %s', (word, found) => {
    expect(suggest(word, FIELDS)).toBe(found);
  });

  test.each(['', 'x', 'banana', 'environment', 'replicasreplicas'])('%j is near to none', (word) => {
    expect(suggest(word, FIELDS)).toBeUndefined();
  });

  test('nothing is near where nothing is known', () => {
    expect(suggest('word', [])).toBeUndefined();
  });

  test('the nearest wins, and of equals the first', () => {
    expect(suggest('timeot', ['time', 'timeout'])).toBe('timeout');
    expect(suggest('cat', ['car', 'can'])).toBe('car');
    expect(suggest('cat', new Set(['can', 'car']))).toBe('can');
  });

  const word = fc.stringMatching(/^[a-z]{3,12}$/);

  test('a known word is found whatever its case', () => {
    fc.assert(
      fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 20 }), fc.nat(), (known, index) => {
        const wanted = known[index % known.length] ?? '';
        expect(suggest(wanted.toUpperCase(), known)).toBe(wanted);
      }),
    );
  });

  test('one letter left out, changed or doubled is forgiven', () => {
    fc.assert(
      fc.property(word, fc.nat(), fc.constantFrom('drop', 'change', 'double'), (known, index, slip) => {
        const at = index % known.length;
        const letter = known.charAt(at);
        const typed = { drop: '', change: 'z', double: letter + letter }[slip];
        expect(suggest(known.slice(0, at) + typed + known.slice(at + 1), [known])).toBe(known);
      }),
    );
  });

  test('what it suggests is always one of the known words', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (typed, known) => {
        const found = suggest(typed, known);
        if (found !== undefined) expect(known).toContain(found);
        else expect(known).not.toContain(typed);
      }),
    );
  });
});
