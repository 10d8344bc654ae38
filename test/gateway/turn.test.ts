/** What leaves together, and what does not wait. */
import { createServer } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { JsonBytes } from '../../gateway/rpc/json.ts';
import { sendJsonBytes, sendText } from '../../gateway/rpc/respond.ts';
import { leave } from '../../gateway/rpc/turn.ts';
import { opened } from '../helpers/opened.ts';

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

test('a client that goes before its answer leaves harms nobody', async () => {
  const server = createServer((request, response) => {
    leave(() => {}); // Others were first in this turn.
    if (request.url === '/text') sendText(response, 200, 'late');
    else sendJsonBytes(response, new JsonBytes(Buffer.from('{'), Buffer.from('}')));
    if (request.headers['x-goes'] === 'yes') response.destroy();
  });
  const origin = await opened(server);
  for (const path of ['/text', '/bytes']) {
    await expect(fetch(origin + path, { headers: { 'X-Goes': 'yes' } })).rejects.toThrow();
    expect(await (await fetch(origin + path)).text()).toBe(path === '/text' ? 'late' : '{}');
  }
});
