/** What a peer asks of the other side: answers, progress, cancelling. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure, type RpcNotification } from '../../schemas/jsonrpc.ts';
import { Peer } from '../../schemas/peer.ts';
import { failure, open } from './one-end.ts';

describe('requests', () => {
  test('are numbered, and carry params only where there are some', () => {
    const { peer, sent } = open();
    void peer.request('ping');
    void peer.request('tools/call', { name: 'echo' });
    peer.notify('notifications/initialized');
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'echo' } },
      { jsonrpc: '2.0', method: 'notifications/initialized' },
    ]);
    expect(peer.inFlight).toBe(2);
  });

  test('are answered each with its own answer, in whatever order the answers come', async () => {
    const ids = fc.integer({ min: 1, max: 20 }).chain((count) =>
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, index) => index + 1),
        { minLength: count },
      ),
    );
    await fc.assert(
      fc.asyncProperty(ids, async (order) => {
        const { peer } = open();
        const answers = order.map(() => peer.request('work'));
        for (const id of order) peer.receive({ jsonrpc: '2.0', id, result: { answerTo: id } });
        expect(await Promise.all(answers)).toEqual(order.map((_, index) => ({ answerTo: index + 1 })));
        expect(peer.inFlight).toBe(0);
      }),
    );
  });

  test('fail with the error of the other side as it came', async () => {
    const { peer } = open();
    const error = { code: -32_042, message: 'no', data: { why: [1] } };
    const failed = failure(peer.request('work'));
    peer.receive({ jsonrpc: '2.0', id: 1, error });
    expect(await failed).toBeInstanceOf(RpcFailure);
    expect(await failed).toMatchObject({ error, message: 'no' });
  });

  test('are not disturbed by answers to nobody', async () => {
    const { peer, sent } = open();
    const answer = peer.request('work');
    peer.receive({ jsonrpc: '2.0', id: 99, result: 'stray' });
    peer.receive({ jsonrpc: '2.0', id: '1', result: 'another id' });
    peer.receive({ jsonrpc: '2.0', id: null, error: { code: RPC.parseError, message: 'what?' } });
    expect(peer.inFlight).toBe(1);
    peer.receive({ jsonrpc: '2.0', id: 1, result: 'first' });
    peer.receive({ jsonrpc: '2.0', id: 1, result: 'second' });
    expect(await answer).toBe('first');
    expect(sent).toHaveLength(1);
  });

  test('that cannot be sent fail and are forgotten', async () => {
    const broken = new Peer({
      send: () => {
        throw new SlipwayError('upstream-unavailable');
      },
    });
    const { signal } = new AbortController();
    expect(await failure(broken.request('work', {}, { signal }))).toMatchObject({ code: 'upstream-unavailable' });
    expect(broken.inFlight).toBe(0);
  });
});

describe('progress', () => {
  const progress = (token: unknown, value: number): RpcNotification => ({
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken: token, progress: value },
  });

  test('comes in order, under the token of the caller, and never after the answer', async () => {
    const { peer, sent } = open();
    const seen: unknown[] = [];
    const params = { name: 'slow', _meta: { progressToken: 'mine', other: 1 } };
    const options = { onProgress: (got: unknown) => seen.push(got), progressToken: 'mine' };
    const answer = peer.request('tools/call', params, options);
    expect(sent[0]).toMatchObject({ params: { name: 'slow', _meta: { progressToken: 1, other: 1 } } });
    expect(params['_meta'].progressToken).toBe('mine');
    for (const value of [1, 2, 3]) peer.receive(progress(1, value));
    peer.receive({ jsonrpc: '2.0', id: 1, result: {} });
    peer.receive(progress(1, 4));
    await answer;
    expect(seen).toEqual([1, 2, 3].map((value) => ({ progressToken: 'mine', progress: value })));
  });

  test('of another request stays with that request', () => {
    const { peer } = open();
    const seen: string[] = [];
    void peer.request('a', {}, { onProgress: () => seen.push('a') });
    void peer.request('b', {}, { onProgress: () => seen.push('b') });
    peer.receive(progress(2, 1));
    peer.receive(progress(1, 1));
    expect(seen).toEqual(['b', 'a']);
  });

  test('is not asked for where nobody listens: the token of a client could be the id of another request', () => {
    const { peer, sent } = open();
    void peer.request('tools/call', { name: 'echo', _meta: { progressToken: 7, other: 1 } });
    expect(sent[0]).toMatchObject({ params: { name: 'echo', _meta: { other: 1 } } });
    expect(JSON.stringify(sent[0])).not.toContain('progressToken');
  });

  test('of nobody, or of what is answered already, reaches nobody: it would be another client’s', async () => {
    const heard: unknown[] = [];
    const { peer } = open({ onNotification: (notification) => heard.push(notification) });
    const asked = peer.request('tools/call', {}, { onProgress: (got) => heard.push(got) });
    peer.receive({ jsonrpc: '2.0', id: 1, result: {} });
    await asked;
    peer.receive(progress(1, 1));
    peer.receive(progress('nobody’s', 2));
    expect(heard).toEqual([]);
  });

  test.each([undefined, null, true, '1', [['1']], { toString: 1 }])(
    'under a token that is none (%j) reaches nobody',
    (token) => {
      const heard: unknown[] = [];
      const { peer } = open({ onNotification: (notification) => heard.push(notification) });
      void peer.request('tools/call', {}, { onProgress: (got) => heard.push(got) });
      const params = { progressToken: token, progress: 1 };
      peer.receive({ jsonrpc: '2.0', method: 'notifications/progress', params });
      peer.receive({
        jsonrpc: '2.0',
        method: 'notifications/tools/list_changed',
        params: { _meta: { 'io.modelcontextprotocol/subscriptionId': token } },
      });
      expect(heard).toHaveLength(1);
    },
  );
});

describe('cancelling', () => {
  test('tells the other side, fails the caller, and ignores the late answer', async () => {
    const { peer, sent } = open();
    const controller = new AbortController();
    const failed = failure(peer.request('work', {}, { signal: controller.signal }));
    controller.abort();
    expect(await failed).toMatchObject({ code: 'cancelled' });
    expect(sent[1]).toMatchObject({ method: 'notifications/cancelled', params: { requestId: 1 } });
    peer.receive({ jsonrpc: '2.0', id: 1, result: 'late' });
    expect(peer.inFlight).toBe(0);
    expect(sent).toHaveLength(2);
  });

  test('keeps the reason if it was foreseen', async () => {
    const { peer } = open();
    const controller = new AbortController();
    const failed = failure(peer.request('work', {}, { signal: controller.signal }));
    controller.abort(new SlipwayError('upstream-timeout'));
    expect(await failed).toMatchObject({ code: 'upstream-timeout' });
  });

  test('before it began sends nothing', async () => {
    const { peer, sent } = open();
    const error = await failure(peer.request('work', {}, { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: 'cancelled' });
    expect(sent).toEqual([]);
  });

  test('after the answer does nothing', async () => {
    const { peer, sent } = open();
    const controller = new AbortController();
    const answer = peer.request('work', {}, { signal: controller.signal });
    peer.receive({ jsonrpc: '2.0', id: 1, result: 'done' });
    controller.abort();
    expect(await answer).toBe('done');
    expect(sent).toHaveLength(1);
  });
});
