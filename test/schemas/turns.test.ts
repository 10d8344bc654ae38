/** The order and the turns in which messages of one wire are handed on. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RpcMessage } from '../../schemas/jsonrpc.ts';
import { Turns } from '../../schemas/turns.ts';

const request = (id: number): RpcMessage => ({ jsonrpc: '2.0', id, method: 'ask' });
const answer = (id: number): RpcMessage => ({ jsonrpc: '2.0', id, result: {} });
const notice: RpcMessage = { jsonrpc: '2.0', method: 'say' };

test('a request comes a turn after the answers before it, and what follows comes after it', async () => {
  const taken: RpcMessage[] = [];
  const turns = new Turns((message) => void taken.push(message));
  const all = [answer(1), notice, request(2), notice, answer(3), request(4), request(5)];
  for (const message of all) turns.push(message);
  expect(taken).toEqual(all.slice(0, 2));
  await turn();
  expect(taken).toEqual(all.slice(0, 5));
  turns.push(answer(6));
  await turn();
  expect(taken).toEqual([...all, answer(6)]);
});

test('a flood takes a turn, and not one for each message', async () => {
  let count = 0;
  const turns = new Turns(() => void count++);
  for (let at = 0; at < 20_000; at++) turns.push(at % 2 === 0 ? request(at) : answer(at));
  await turn();
  expect(count).toBeGreaterThanOrEqual(19_000);
});
