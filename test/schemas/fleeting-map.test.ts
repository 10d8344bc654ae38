/** What comes and goes is found while it is there. */
import { expect, test } from 'vitest';
import { FleetingMap } from '../../schemas/fleeting-map.ts';

test('gives what was put there, once', () => {
  const map = new FleetingMap<string, number>();
  map.set('a', 1);
  map.set('b', 2);
  expect([map.size, map.get('a'), [...map.keys()]]).toEqual([2, 1, ['a', 'b']]);
  expect([map.take('a'), map.take('a'), map.get('a'), map.size]).toEqual([1, undefined, undefined, 1]);
});

test('the last value under a key is the one that is found', () => {
  const map = new FleetingMap<string, number>();
  map.set('a', 1);
  map.set('a', 2);
  expect([map.take('a'), map.size]).toEqual([2, 0]);
});

test('a number is not the text of it, and names of the language are keys like any other', () => {
  const map = new FleetingMap<string | number, string>();
  map.set(1, 'number');
  map.set('__proto__', 'text');
  expect([map.get('1'), map.take('1'), map.get('constructor'), map.get('__proto__'), map.size]).toEqual([
    undefined,
    undefined,
    undefined,
    'text',
    2,
  ]);
  expect([map.take(1), map.take('__proto__'), map.size, map.keys()]).toEqual(['number', 'text', 0, []]);
});

const NO_KEYS: readonly unknown[] = [undefined, null, true, {}, { toString: 1 }, Number.NaN, ''];

test.each(NO_KEYS)('what cannot be a key is not there: %j', (key) => {
  const map = new FleetingMap<string | number, string>();
  map.set('undefined', 'a');
  map.set('[object Object]', 'b');
  expect([map.get(key), map.take(key), map.size]).toEqual([undefined, undefined, 2]);
});
