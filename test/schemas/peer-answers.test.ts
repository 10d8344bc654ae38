/** What a peer says to what the other side starts, how a conversation ends, and what counts as a message at all. */
import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../schemas/errors.ts';
import { asMessage, messagesIn, RPC, RpcFailure, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { toRpcError } from '../../schemas/jsonrpc.ts';
import { Peer } from '../../schemas/peer.ts';
import { failure, open, settled } from './one-end.ts';

const request = (id: number | string, method: string): RpcMessage => ({ jsonrpc: '2.0', id, method });

describe('answering', () => {
  test('hands on the request and sends back its result under the same id', async () => {
    const { peer, sent } = open({ onRequest: (got) => Promise.resolve({ echo: got.params, method: got.method }) });
    peer.receive({ jsonrpc: '2.0', id: 'abc', method: 'sampling/createMessage', params: { a: 1 } });
    await settled();
    expect(sent).toEqual([{ jsonrpc: '2.0', id: 'abc', result: { echo: { a: 1 }, method: 'sampling/createMessage' } }]);
  });

  test('a ping needs nobody', async () => {
    const { peer, sent } = open();
    peer.receive(request(0, 'ping'));
    await settled();
    expect(sent).toEqual([{ jsonrpc: '2.0', id: 0, result: {} }]);
  });

  test('without a handler refuses as unknown', async () => {
    const { peer, sent } = open();
    peer.receive(request(5, 'roots/list'));
    await settled();
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 5, error: { code: RPC.methodNotFound, message: 'Method not found: roots/list' } },
    ]);
  });

  test.each([
    [
      'thrown',
      () => {
        throw new Error('password hunter2');
      },
    ],
    ['rejected', () => Promise.reject(new Error('password hunter2'))],
    ['rejected with a text', () => Promise.reject(new TypeError('hunter2', { cause: 'hunter2' }))],
  ])('an unforeseen error, %s, is hidden', async (_, onRequest) => {
    const { peer, sent } = open({ onRequest });
    peer.receive(request(1, 'roots/list'));
    await settled();
    expect(sent).toEqual([{ jsonrpc: '2.0', id: 1, error: { code: RPC.internalError, message: 'Internal error' } }]);
  });

  test('several at once are answered as each is done', async () => {
    const gates = new Map<unknown, (result: unknown) => void>();
    const { peer, sent } = open({ onRequest: ({ id }) => new Promise((resolve) => gates.set(id, resolve)) });
    for (const id of [1, 2, 3]) peer.receive(request(id, 'work'));
    await settled();
    for (const id of [3, 1, 2]) {
      gates.get(id)?.(`done ${id}`);
      await settled();
    }
    expect(sent.map((message) => 'id' in message && message.id)).toEqual([3, 1, 2]);
  });

  test('two ends talk both ways at once', async () => {
    const ends: { left?: Peer; right?: Peer } = {};
    const left = new Peer({
      send: (message) => ends.right?.receive(message),
      onRequest: async ({ method }) => `left:${method}`,
    });
    const right = new Peer({
      send: (message) => ends.left?.receive(message),
      onRequest: async ({ method }) => `${String(await right.request('roots'))}, right:${method}`,
    });
    Object.assign(ends, { left, right });
    expect(await left.request('tools')).toBe('left:roots, right:tools');
    expect([left.inFlight, right.inFlight]).toEqual([0, 0]);
  });
});

describe('what is told about a failure', () => {
  test('the other side’s own error is passed on', () => {
    const error = { code: -1, message: 'no', data: { a: 1 } };
    expect(toRpcError(new RpcFailure(error))).toEqual(error);
  });

  test('a foreseen one is told with code and hint', () => {
    expect(toRpcError(new SlipwayError('upstream-timeout', 'Too slow.', { cause: new Error('hunter2') }))).toEqual({
      code: RPC.upstream,
      message: 'Too slow.',
      data: { error_code: 'upstream-timeout', hint: new SlipwayError('upstream-timeout').hint },
    });
    expect(toRpcError(new SlipwayError('forbidden')).code).toBe(RPC.invalidRequest);
  });

  test.each([new Error('hunter2'), 'hunter2', undefined, null, { code: 1, message: 'hunter2' }])(
    'of %o nothing',
    (error) => {
      expect(toRpcError(error)).toEqual({ code: RPC.internalError, message: 'Internal error' });
    },
  );
});

describe('closing', () => {
  test('fails everything that waits, with the reason, and lets go of the signals', async () => {
    const { peer, sent } = open();
    const controller = new AbortController();
    const waiting = [peer.request('a'), peer.request('b', {}, { signal: controller.signal })].map(failure);
    const reason = new SlipwayError('upstream-unavailable', 'The server went away.');
    peer.close(reason);
    expect(await Promise.all(waiting)).toEqual([reason, reason]);
    expect(peer.inFlight).toBe(0);
    controller.abort();
    expect(sent).toHaveLength(2);
  });

  test('is for ever: later requests fail at once and nothing more is sent', async () => {
    const { peer, sent } = open();
    const reason = new SlipwayError('shutting-down');
    peer.close(reason);
    expect(await failure(peer.request('a'))).toBe(reason);
    peer.notify('notifications/initialized');
    expect(sent).toEqual([]);
  });

  test('keeps back answers that come too late, even to a ping', async () => {
    const gate: { open?: (result: unknown) => void } = {};
    const { peer, sent } = open({ onRequest: () => new Promise((resolve) => (gate.open = resolve)) });
    peer.receive(request(1, 'work'));
    peer.close(new SlipwayError('shutting-down'));
    gate.open?.('late');
    peer.receive(request(2, 'ping'));
    await settled();
    expect(sent).toEqual([]);
  });
});

describe('asMessage', () => {
  test.each([
    { jsonrpc: '2.0', method: 'a' },
    { jsonrpc: '2.0', method: 'a', params: {} },
    { jsonrpc: '2.0', id: 0, method: 'a' },
    { jsonrpc: '2.0', id: '', method: 'a', params: { b: [] } },
    { jsonrpc: '2.0', id: 1, result: null },
    { jsonrpc: '2.0', id: 1, error: { code: 1, message: 'no' } },
    { jsonrpc: '2.0', id: null, error: { code: 1, message: 'no' } },
  ])('%j is one', (value) => {
    expect(asMessage(value)).toBe(value);
  });

  test.each([
    null,
    undefined,
    'text',
    1,
    [],
    [{ jsonrpc: '2.0', method: 'a' }],
    {},
    { jsonrpc: '1.0', method: 'a' },
    { method: 'a' },
    { jsonrpc: '2.0', method: 1 },
    { jsonrpc: '2.0', id: null, method: 'a' },
    { jsonrpc: '2.0', id: {}, method: 'a' },
    { jsonrpc: '2.0', id: Number.NaN, method: 'a' },
    { jsonrpc: '2.0', method: 'a', params: [] },
    { jsonrpc: '2.0', method: 'a', params: 'text' },
    { jsonrpc: '2.0', id: 1 },
    { jsonrpc: '2.0', id: 1, result: 1, error: { code: 1, message: 'no' } },
    { jsonrpc: '2.0', result: 1 },
    { jsonrpc: '2.0', id: 1, error: null },
    { jsonrpc: '2.0', id: 1, error: 'no' },
    { jsonrpc: '2.0', id: 1, error: { message: 'no code' } },
  ])('%j is none', (value) => {
    expect(asMessage(value)).toBeUndefined();
  });
});

describe('messagesIn', () => {
  const answer = { jsonrpc: '2.0', id: 1 };
  const why = 'It failed, and the server does not say why.';

  test.each<[object, object]>([
    [
      { ...answer, result: 1, error: null },
      { ...answer, result: 1 },
    ],
    [
      { ...answer, result: 1, error: { code: 1, message: 'no' } },
      { ...answer, error: { code: 1, message: 'no' } },
    ],
    [
      { ...answer, error: { message: 'no', data: 2 } },
      { ...answer, error: { code: -32_603, message: 'no', data: 2 } },
    ],
    [
      { ...answer, error: 'no' },
      { ...answer, error: { code: -32_603, message: why } },
    ],
  ])('reads %j as the answer that it was meant to be', (said, meant) => {
    expect(messagesIn(said)).toEqual([meant]);
  });

  test.each([
    null,
    1,
    {},
    answer,
    { ...answer, error: null },
    { ...answer, id: null, error: 'no' },
    { ...answer, method: 1 },
  ])('finds none in %j', (said) => {
    expect(messagesIn(said)).toEqual([]);
  });
});
