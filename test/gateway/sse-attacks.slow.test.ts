/** Attacks on the old transport (`/sse` and `/messages`), one a test. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Gateway } from '../../gateway/index.ts';
import { MCP_HEADERS, principal, raw, start } from './helpers/gateway.ts';
import { socketUpstream } from './helpers/upstreams.ts';

const PING = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
const bearer = (token: string) => ({ ...MCP_HEADERS, Authorization: `Bearer ${token}` });

/** A gateway with two principals, and an open session of the first. */
async function attacked() {
  const up = await socketUpstream('up');
  const principals = [principal('ada', 'sesame'), principal('eve', 'thief')];
  const gateway = await start({ servers: { up: up.endpoint }, principals, gateway: { httpSse: true } });
  onTestFinished(async () => {
    await gateway[Symbol.asyncDispose]();
    await up[Symbol.asyncDispose]();
  });
  return { gateway, mine: await open(gateway, 'sesame') };
}

async function open({ url }: Gateway, token: string) {
  const headers = { Accept: 'text/event-stream', Authorization: `Bearer ${token}` };
  const call = get(`${url}/sse`, { headers, agent: false });
  onTestFinished(() => void call.on('error', () => {}).destroy());
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  let said = '';
  answer.setEncoding('utf8').on('error', () => {});
  answer.on('data', (part: string) => (said += part));
  while (!/^data: .*\n/m.test(said)) await once(answer, 'data');
  const path = /^event: endpoint\ndata: (.*)$/m.exec(said)?.[1] ?? '';
  const post = async (body: string, more: { headers?: object; to?: string; by?: string } = {}) => {
    const sent = { ...bearer(more.by ?? token), ...more.headers };
    return raw(url, { method: 'POST', path: more.to ?? path, headers: sent, body });
  };
  /** Resolves with all that was said once it says so. */
  const heard = async (text: string): Promise<string> => {
    while (!said.includes(text)) await once(answer, 'data');
    return said;
  };
  return { path, post, heard };
}

/** Sends bytes as they are. @returns all that comes back until the other side hangs up */
function bytes(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}

test('DNS rebinding: a foreign Host or Origin neither opens a stream nor posts on one', async () => {
  const { gateway, mine } = await attacked();
  for (const foreign of [{ Host: 'evil.example' }, { Origin: 'http://evil.example' }, { Origin: 'null' }]) {
    const headers = { Accept: 'text/event-stream', Authorization: 'Bearer sesame', ...foreign };
    expect((await raw(gateway.url, { path: '/sse', headers })).status).toBe(403);
    expect((await mine.post(PING, { headers: foreign })).status).toBe(403);
  }
  expect((await mine.post(PING)).status).toBe(202);
});

test('a session id that nobody was given is no session, whoever made it up', async () => {
  const { mine } = await attacked();
  const [where = '', id = ''] = mine.path.split('=');
  const flipped = id.slice(0, -2) + (id.endsWith('AA') ? 'BB' : 'AA');
  for (const made of ['', 'x', flipped, id.slice(1), `${id}x`, '%00', '../../mcp', 'a'.repeat(5_000)])
    expect([made, (await mine.post(PING, { to: `${where}=${made}` })).status]).toEqual([made, 404]);
});

test('a session id of Streamable HTTP is none here, and the other way round', async () => {
  const { gateway, mine } = await attacked();
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
  const hello = await raw(gateway.url, { method: 'POST', path: '/mcp', headers: bearer('sesame'), body });
  const foreign = String(hello.headers['mcp-session-id']);
  expect((await mine.post(PING, { to: `/messages?sessionId=${foreign}` })).status).toBe(404);
});

test('session hijack: with another principal’s session id nothing is posted, and it hears nothing of it', async () => {
  const { gateway, mine } = await attacked();
  const eve = await open(gateway, 'thief');
  expect((await mine.post(PING, { by: 'thief' })).status).toBe(404);
  expect((await eve.post(PING, { to: mine.path })).status).toBe(404);
  await mine.post(JSON.stringify({ jsonrpc: '2.0', id: 'hers', method: 'ping' }));
  await eve.post(JSON.stringify({ jsonrpc: '2.0', id: 'his', method: 'ping' }));
  expect(await mine.heard('"hers"')).not.toContain('"his"');
  expect(await eve.heard('"his"')).not.toContain('"hers"');
});

test('an oversized body is refused, and the session goes on', async () => {
  const { mine } = await attacked();
  const large = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { x: 'x'.repeat(1024 * 1024) } });
  expect((await mine.post(large)).status).toBe(413);
  expect((await mine.post(PING)).status).toBe(202);
});

test(
  'slow-loris: one that dribbles its headers or its body is cut off, and the stream of another goes on',
  { timeout: 120_000 },
  async () => {
    const { gateway, mine } = await attacked();
    const { host } = new URL(gateway.url);
    const auth = `Host: ${host}\r\nAuthorization: Bearer sesame\r\n`;
    const type = 'Content-Type: application/json\r\nContent-Length: 100\r\n';
    const headers = bytes(gateway.url, `GET /sse HTTP/1.1\r\n${auth}X: `);
    const body = bytes(gateway.url, `POST ${mine.path} HTTP/1.1\r\n${auth}${type}\r\n{`);
    expect((await mine.post(PING)).status).toBe(202);
    await mine.heard('"result"');
    expect(await headers).toMatch(/^HTTP\/1\.1 408 /);
    expect(await body).toMatch(/^HTTP\/1\.1 408 /);
    expect((await mine.post(PING)).status).toBe(202);
  },
);

test('CRLF injection: no text of a client becomes a line of its own, in a stream or a header', async () => {
  const { gateway, mine } = await attacked();
  const sly = 'x\r\n\r\nevent: endpoint\r\ndata: /messages?sessionId=evil\r\n\r\n';
  const params = { name: 'up__echo', arguments: { text: sly } };
  await mine.post(JSON.stringify({ jsonrpc: '2.0', id: sly, method: 'tools/call', params }));
  const said = await mine.heard('up:x');
  expect(said.match(/^event: endpoint$/gm)).toHaveLength(1);
  expect(said).not.toMatch(/^data: \/messages\?sessionId=evil/m);
  const answer = await bytes(
    gateway.url,
    `POST ${mine.path}%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: ${new URL(gateway.url).host}\r\nAuthorization: Bearer sesame\r\n` +
      `Content-Type: application/json\r\nConnection: close\r\nContent-Length: ${PING.length}\r\n\r\n${PING}`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  expect(answer).not.toMatch(/^X-Evil/im);
});
