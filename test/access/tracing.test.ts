/** Spans: from a client's trace through the gateway to the server, and to a collector. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { MCP_HEADERS, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { httpUpstream, socketUpstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
  readonly status: { readonly code: number };
}

interface Export {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

/** What OpenTelemetry's own collector does, as far as we are concerned: it takes OTLP/HTTP in JSON. */
async function collector(status = 200) {
  const spans: Span[] = [];
  const keys: unknown[] = [];
  const server = createServer(async (request, response) => {
    keys.push(request.headers['x-key']);
    const { resourceSpans } = (await json(request)) as Export;
    for (const { scopeSpans } of resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
  return {
    spans,
    keys,
    endpoint,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;

const attribute = (span: Span | undefined, name: string): string | undefined =>
  span?.attributes.find(({ key }) => key === name)?.value.stringValue;

test('a call is two spans of its client’s trace, and the server is told of the second', async () => {
  await using otlp = await collector();
  await using up = await httpUpstream('weather');
  const headers = [{ name: 'X-Key', value: { secret: 'otlp', key: 'key', from: { env: 'KEY' } } }];
  const tracing = { endpoint: otlp.endpoint, sampleRatio: 0, headers };
  const gateway = await start(
    { servers: { weather: up.endpoint }, gateway: { tracing } },
    { secrets: async () => 'opened' },
  );
  try {
    const client = await session(gateway.url);
    const call = (name: string, _meta: object) => client.rpc('tools/call', { name, arguments: { text: 'x' }, _meta });
    // The library is loaded while calls are served already.
    await eventually(async () => {
      await call('weather__echo', { traceparent: TRACEPARENT, tracestate: 'vendor=1', kept: true });
      const seen = up.seen.findLast((message) => 'method' in message && message.method === 'tools/call');
      const { params } = seen as { params?: { _meta?: Record<string, unknown> } };
      const meta = params?._meta ?? {};
      expect(meta).toMatchObject({ tracestate: 'vendor=1', kept: true });
      return String(meta['traceparent']).startsWith(`00-${TRACE}-`) && meta['traceparent'] !== TRACEPARENT;
    });
    const told = up.headers.findLast(({ traceparent }) => traceparent !== undefined);
    await call('weather__fail', { traceparent: TRACEPARENT });
    await call('weather__echo', {}); // Begins here, and its ratio is 0.
    await gateway[Symbol.asyncDispose](); // Sends what is left.
    // A call that was under way when the library came has the first of them only.
    const upstream = otlp.spans.find(({ kind, name }) => kind === 3 && name === 'tools/call echo');
    const server = otlp.spans.find(({ spanId }) => spanId === upstream?.parentSpanId);
    expect(server).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, kind: 2, name: 'tools/call echo' });
    expect(upstream).toMatchObject({ traceId: TRACE });
    expect(told).toMatchObject({ traceparent: `00-${TRACE}-${upstream?.spanId}-01`, tracestate: 'vendor=1' });
    expect(attribute(server, 'slipway.server')).toBe('weather');
    expect(attribute(server, 'slipway.principal')).toBe('local');
    expect(BigInt(server?.endTimeUnixNano ?? 0)).toBeGreaterThan(BigInt(upstream?.startTimeUnixNano ?? 0));
    const failed = otlp.spans.filter(({ name }) => name === 'tools/call fail');
    expect(failed.map(({ status }) => status.code)).toEqual([2, 2]);
    expect(new Set(otlp.spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
    expect(new Set(otlp.keys)).toEqual(new Set(['opened']));
    expect(JSON.stringify(otlp.spans)).not.toContain('"x"');
  } finally {
    await gateway[Symbol.asyncDispose]();
  }
});

test('the calls of a script are spans below its own', async () => {
  await using otlp = await collector();
  await using up = await socketUpstream('up');
  const tracing = { endpoint: otlp.endpoint, sampleRatio: 1, headers: [] };
  const codeMode = {
    timeoutMs: 60_000,
    cpuMs: 20_000,
    memoryBytes: 32 * 2 ** 20,
    maxCalls: 9,
    maxConcurrentCalls: 2,
    scriptBytes: 1_000,
    resultBytes: 1_000,
    consoleBytes: 100,
  };
  const routes = { '/projects/p/mcp': { project: 'p', servers: ['up'], separator: '__', codeMode } };
  const gateway = await start({ servers: { up: up.endpoint }, routes, gateway: { tracing } });
  try {
    const client = await session(gateway.url, { path: '/projects/p/mcp' });
    const run = () => client.rpc('tools/call', { name: 'run_script', arguments: { script: 'await tools.up.who();' } });
    // The library is loaded while calls are served already.
    await eventually(async () => {
      await run();
      const [last] = up.seen.slice(-1) as { params?: { _meta?: object } }[];
      return last?.params?._meta !== undefined && 'traceparent' in last.params._meta;
    });
    await gateway[Symbol.asyncDispose]();
    const script = otlp.spans.findLast(({ name }) => name === 'tools/call run_script');
    const call = otlp.spans.find(({ parentSpanId }) => parentSpanId === script?.spanId);
    expect(call).toMatchObject({ name: 'tools/call who', kind: 2, traceId: script?.traceId });
    expect(otlp.spans.find(({ parentSpanId }) => parentSpanId === call?.spanId)).toMatchObject({ kind: 3 });
  } finally {
    await gateway[Symbol.asyncDispose]();
  }
});

test('without tracing a client’s context still reaches the server, from header or _meta; what is none does not', async () => {
  await using up = await httpUpstream('web');
  await using local = await socketUpstream('local');
  await using gateway = await start({ servers: { web: up.endpoint, local: local.endpoint } });
  const client = await session(gateway.url);
  const call = (name: string, more: Record<string, string>) =>
    raw(gateway.url, {
      method: 'POST',
      path: '/mcp',
      headers: { ...MCP_HEADERS, 'Mcp-Session-Id': client.id, ...more },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }),
    });
  const meta = (seen: readonly object[]): unknown =>
    (seen.at(-1) as { params: { _meta?: Record<string, unknown> } }).params._meta?.['traceparent'];
  await call('local__echo', { traceparent: TRACEPARENT });
  expect(meta(local.seen)).toBe(TRACEPARENT);
  await call('web__echo', { traceparent: TRACEPARENT });
  expect(up.headers.at(-1)?.['traceparent']).toBe(TRACEPARENT);
  for (const bad of ['no', `00-${'0'.repeat(32)}-${PARENT}-01`, `ff-${TRACE}-${PARENT}-01`]) {
    await call('local__echo', { traceparent: bad });
    expect(meta(local.seen)).toBeUndefined();
  }
});

test('tracing comes and goes with the config; a collector that refuses holds up nothing and is told of once', async () => {
  const told: unknown[] = [];
  await using otlp = await collector(400);
  await using up = await socketUpstream('weather');
  const servers = { weather: up.endpoint };
  const tracing = { endpoint: otlp.endpoint, sampleRatio: 1, headers: [] };
  const log = (level: string, message: string) => void (level === 'warn' && told.push(message));
  const gateway = await start({ servers, gateway: { tracing } }, { log });
  const client = await session(gateway.url);
  const traceparent = async (): Promise<unknown> => {
    await client.rpc('tools/call', { name: 'weather__echo', arguments: { text: 'x' } });
    return (up.seen.at(-1) as { params: { _meta?: Record<string, unknown> } }).params._meta?.['traceparent'];
  };
  await eventually(async () => (await traceparent()) !== undefined);
  await gateway.swap(snapshot({ servers }));
  await eventually(async () => (await traceparent()) === undefined);
  await gateway[Symbol.asyncDispose]();
  expect(told).toEqual(['the collector does not take traces']);
});
