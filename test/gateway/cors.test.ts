/** Pages of other origins: those that the config lets in can use MCP from a browser, and no other can. */
import { expect, test } from 'vitest';
import { MCP_HEADERS, principal, raw, session, start } from './helpers/gateway.ts';
import { socketUpstream } from './helpers/upstreams.ts';

const APP = 'https://app.example';

async function site() {
  const up = await socketUpstream('up');
  const wish = {
    servers: { up: up.endpoint },
    principals: [principal('ada', 'tok')],
    gateway: { allowedOrigins: [APP] },
  };
  const gateway = await start(wish);
  const stop = async (): Promise<void> => {
    await gateway[Symbol.asyncDispose]();
    await up[Symbol.asyncDispose]();
  };
  return { url: gateway.url, [Symbol.asyncDispose]: stop };
}

const preflight = (url: string, path: string, more: Record<string, string> = {}) =>
  raw(url, {
    method: 'OPTIONS',
    path,
    headers: { Origin: APP, 'Access-Control-Request-Method': 'POST', ...more },
  });

test('a browser that asks before it sends hears what the page may say, without a token', async () => {
  await using gateway = await site();
  const wanted = 'authorization, content-type,mcp-protocol-version, Mcp-Param-Region, x-evil';
  for (const path of ['/mcp', '/servers/up/mcp', '/projects/dev/mcp']) {
    const answer = await preflight(gateway.url, path, { 'Access-Control-Request-Headers': wanted });
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-allow-headers': 'authorization, content-type, mcp-protocol-version, Mcp-Param-Region',
      'access-control-max-age': '600',
      vary: 'Origin',
    });
    expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
  }
});

test('its answers may be read, refusals too', async () => {
  await using gateway = await site();
  const post = (token: string) =>
    raw(gateway.url, {
      method: 'POST',
      path: '/mcp',
      headers: { ...MCP_HEADERS, Origin: APP, Authorization: `Bearer ${token}` },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'page', version: '1' } },
      }),
    });
  const [good, bad] = [await post('tok'), await post('wrong')];
  expect([good.status, bad.status]).toEqual([200, 401]);
  for (const { headers } of [good, bad]) {
    expect(headers['access-control-allow-origin']).toBe(APP);
    expect(headers['access-control-expose-headers']).toContain('Mcp-Session-Id, WWW-Authenticate');
  }
  expect(good.headers['mcp-session-id']).toBeTruthy();
});

test('nobody else hears it: other pages, programs, other routes', async () => {
  await using gateway = await site();
  const evil = await preflight(gateway.url, '/mcp', { Origin: 'https://evil.example' });
  expect(evil.status).toBe(403);
  // What operators use is not for pages; what asks for nothing is no preflight.
  const control = await preflight(gateway.url, '/api/v1/status');
  const options = await raw(gateway.url, { method: 'OPTIONS', path: '/mcp', headers: { Origin: APP } });
  expect([control.status, options.status]).toEqual([401, 401]);
  const client = await session(gateway.url, { token: 'tok' });
  const plain = await client.rpc('ping');
  for (const { headers } of [evil, control, plain])
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
});
