/** What leaves together, and what does not wait. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { leave } from '../../gateway/rpc/turn.ts';

test('the first of a turn leaves at once, the others when it ends, in order; so it is in the next one', async () => {
  const left: string[] = [];
  for (const name of ['a', 'b', 'c']) leave(() => void left.push(name));
  expect(left).toEqual(['a']);
  await turn();
  expect(left).toEqual(['a', 'b', 'c']);
  for (const name of ['d', 'e']) leave(() => void left.push(name));
  expect(left.at(-1)).toBe('d');
  await turn();
  expect(left).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('what fails to leave holds up nobody', async () => {
  const left: string[] = [];
  expect(() => leave(() => void JSON.parse('{'))).toThrow(SyntaxError);
  leave(() => void left.push('next'));
  await turn();
  leave(() => void left.push('later'));
  expect(left).toEqual(['next', 'later']);
});
