/** `/metrics`: what it counts, in which form, and who may look. */
import { expect, test } from 'vitest';
import { Counts, counter, Durations, gauge, histogram } from '../../schemas/metrics.ts';
import { principal, raw, session, snapshot, start } from './helpers/gateway.ts';
import { socketUpstream } from './helpers/upstreams.ts';

/** Samples by their name and labels. Every line must be one, or a comment. */
function samples(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !/^# (HELP|TYPE) /.test(line));
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = '', value = ''] = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      expect(name, line).not.toBe('');
      return [name, Number(value)];
    }),
  );
}

test('calls are counted by server and outcome, with how long they took', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 300 } } });
  const mine = await session(gateway.url);
  const call = (name: string, args: object = {}) => mine.rpc('tools/call', { name, arguments: args });
  await call('up__echo', { message: 'a secret of a client' });
  await call('up__echo', {});
  await call('up__fail');
  await call('up__hang');
  await call('up__nobody');
  await call('up__slow', { ms: 150 });

  const { status, headers, text } = await raw(gateway.url, { path: '/metrics' });
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  const found = samples(text);
  const outcome = (name: string): number | undefined =>
    found[`slipway_gateway_calls_total{server="up",outcome="${name}"}`];
  expect(['ok', 'error', 'timeout', 'cancelled', 'failed'].map(outcome)).toEqual([3, 1, 1, 0, 0]);
  const duration = (part: string): number | undefined => found[`slipway_gateway_call_duration_seconds_${part}`];
  expect(duration('count{server="up"}')).toBe(5);
  expect(duration('bucket{server="up",le="+Inf"}')).toBe(5);
  expect(duration('bucket{server="up",le="60"}')).toBe(5);
  expect(duration('bucket{server="up",le="0.1"}')).toBe(3);
  expect(duration('sum{server="up"}')).toBeGreaterThan(0.4);
  expect(found['slipway_gateway_sessions_total']).toBe(1);
  expect(found['slipway_gateway_streams']).toBe(0);
  // Nothing that a client said is in there, not even the name of a tool.
  for (const word of ['secret', 'echo', 'nobody', 'hang']) expect(text).not.toContain(word);
});

test('a client that goes away is no failure of the server; a server that is away is', async () => {
  await using up = await socketUpstream('up');
  const nowhere = { id: 'gone', transport: 'stdio' as const, address: 'unix:/nonexistent/slipway.sock' };
  const tools = [{ name: 'x', inputSchema: { type: 'object' } }];
  await using gateway = await start({ servers: { up: up.endpoint, gone: { endpoints: [nowhere], tools } } });
  const look = async () => samples((await raw(gateway.url, { path: '/metrics' })).text);
  const mine = await session(gateway.url);
  const leaving = mine.rpc('tools/call', { name: 'up__hang' }, 'h');
  await up.saw('tools/call');
  expect(await look()).toMatchObject({ 'slipway_gateway_calls_in_flight{server="up"}': 1 });
  await mine.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'h' } });
  await leaving;
  await mine.rpc('tools/call', { name: 'gone__x' });
  expect(await look()).toMatchObject({
    'slipway_gateway_calls_total{server="up",outcome="cancelled"}': 1,
    'slipway_gateway_calls_in_flight{server="up"}': 0,
    'slipway_gateway_calls_total{server="gone",outcome="failed"}': 1,
  });
});

test('servers that are gone from the config are forgotten', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  await (await session(gateway.url)).rpc('tools/call', { name: 'up__echo', arguments: {} });
  expect((await raw(gateway.url, { path: '/metrics' })).text).toContain('server="up"');
  await gateway.swap(snapshot({}));
  expect((await raw(gateway.url, { path: '/metrics' })).text).not.toContain('server="up"');
});

test('others’ families stand beside its own, and their labels are escaped', async () => {
  const odd = 'a "b" \\ c\nd';
  const metrics = async () => [gauge('slipway_odd', 'Two\nlines.', [{ labels: { odd }, value: 1.5 }])];
  await using gateway = await start({}, { metrics });
  const { text } = await raw(gateway.url, { path: '/metrics' });
  expect(text).toContain('# HELP slipway_odd Two\\nlines.\n# TYPE slipway_odd gauge\n');
  expect(text).toContain('slipway_odd{odd="a \\"b\\" \\\\ c\\nd"} 1.5\n');
});

test('on loopback without a Token anybody may look; with Tokens, one that is not bound to projects is needed', async () => {
  await using open = await start({});
  expect((await raw(open.url, { path: '/metrics' })).status).toBe(200);
  expect((await raw(open.url, { path: '/metrics', method: 'POST' })).status).toBe(405);
  expect((await raw(open.url, { path: '/metrics', headers: { Host: 'evil.example.com' } })).status).toBe(403);
  expect((await raw(open.url, { path: '/metrics/x' })).status).toBe(404);
  const principals = [principal('all', 'whole'), principal('dev', 'part', { projects: ['dev'] })];
  await using shut = await start({ principals });
  const status = async (token?: string) => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    return (await raw(shut.url, { path: '/metrics', headers })).status;
  };
  expect([await status(), await status('wrong'), await status('part'), await status('whole')]).toEqual([
    401, 401, 403, 200,
  ]);
});

test('durations fall into the first bucket that holds them, and buckets add up', () => {
  const durations = new Durations([0.1, 1]);
  for (const seconds of [0.05, 0.1, 0.5, 7]) durations.observe(seconds);
  const { values } = histogram('x', 'X.', durations.values('x', {}));
  expect(values.map(({ metricName, labels, value }) => [metricName, labels['le'], value])).toEqual([
    ['x_bucket', 0.1, 2],
    ['x_bucket', 1, 3],
    ['x_bucket', '+Inf', 4],
    ['x_sum', undefined, 7.65],
    ['x_count', undefined, 4],
  ]);
});

test('counts are kept by all their labels', () => {
  const counts = new Counts('a', 'b');
  counts.add('1', '2');
  counts.add('1', '2');
  counts.add('12', '');
  expect(counter('x', 'X.', counts.values()).values).toEqual([
    { labels: { a: '1', b: '2' }, value: 2 },
    { labels: { a: '12', b: '' }, value: 1 },
  ]);
});
