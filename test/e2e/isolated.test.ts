/** `sessions: isolated`: each client has a process of its own, and what it leaves there is nobody else's. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { GATEWAY } from '../helpers/configs.ts';
import { marked, survivors } from '../helpers/processes.ts';
import { Desk } from '../helpers/slipway.ts';
import { eventually } from '../helpers/until.ts';
import { raw, session, type Session } from '../gateway/helpers/gateway.ts';

/** Remembers what it was told, for ever. */
const NOTEBOOK = `import { createInterface } from 'node:readline';
const notes = [];
const tools = [{ name: 'note', inputSchema: { type: 'object' } }];
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const say = (result) => console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
  if (method === 'initialize')
    say({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'n', version: '1' } });
  else if (method === 'tools/list') say({ tools });
  else if (method === 'tools/call') {
    notes.push(params.arguments.text);
    say({ content: [{ type: 'text', text: JSON.stringify({ pid: process.pid, notes }) }] });
  } else console.log(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }));
}
`;

const server = (sessions: string): string => `apiVersion: slipway/v1
kind: Server
metadata: { name: notebook }
spec: { command: [node, notebook.mjs], files: [notebook.mjs], sessions: ${sessions}, maxInstances: 2 }
`;

async function note(mine: Session, text: string): Promise<{ pid: number; notes: string[] }> {
  const { json } = await mine.rpc('tools/call', { name: 'notebook__note', arguments: { text } });
  const [content] = (json.result?.['content'] ?? []) as { text: string }[];
  // Whatever else it is, is worth being read.
  expect(json.error ?? (json.result?.['isError'] && content)).toBeFalsy();
  return JSON.parse(content?.text as string) as { pid: number; notes: string[] };
}

const isThere = (pid: number): boolean => readdirSync('/proc').includes(String(pid));

test('clients share nothing; an instance ends with its session; beyond the limit the idle one makes room', async () => {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY, 'notebook.mjs': NOTEBOOK, 'notebook.yaml': server('isolated') });
  const running = await desk.up();
  const url = await running.serving;
  expect((await desk.sync()).code).toBe(0);
  const [ada, bob, cleo] = await Promise.all([session(url), session(url), session(url)]);
  const hers = await note(ada, 'a');
  const his = await note(bob, 'b');
  expect([hers.notes, his.notes]).toEqual([['a'], ['b']]);
  expect(hers.pid).not.toBe(his.pid);
  expect((await note(ada, 'a2')).notes).toEqual(['a', 'a2']);

  // Bob's was idle the longest.
  expect((await note(cleo, 'c')).notes).toEqual(['c']);
  await vi.waitFor(() => expect(isThere(his.pid)).toBe(false), 20_000);
  expect((await note(ada, 'a3')).notes).toEqual(['a', 'a2', 'a3']);

  await raw(url, { method: 'DELETE', path: '/mcp', headers: { 'Mcp-Session-Id': ada.id } });
  await vi.waitFor(() => expect(isThere(hers.pid)).toBe(false), 20_000);
  const last = await note(bob, 'b2');
  expect(last.notes).toEqual(['b2']);

  // Shared again: everybody's notes are in one place, and nothing of before is left.
  desk.push({ 'notebook.yaml': server('shared') });
  expect((await desk.sync()).code).toBe(0);
  const first = await note(bob, 'b3');
  expect((await note(cleo, 'c2')).notes).toEqual([...first.notes, 'c2']);
  await vi.waitFor(() => expect(isThere(last.pid)).toBe(false), 20_000);
});

test('one that waits is a process that runs already: its client finds it started', async () => {
  await using desk = new Desk();
  const warm = server('isolated').replace('maxInstances: 2', 'maxInstances: 3, warm: 1');
  desk.push({ 'gateway.yaml': GATEWAY, 'notebook.mjs': NOTEBOOK, 'notebook.yaml': warm });
  const running = await desk.up();
  const mine = await session(await running.serving);
  expect((await desk.sync()).code).toBe(0);
  await mine.rpc('tools/list');
  const owner = readFileSync(join(desk.state, 'owner'), 'utf8').trim();
  const there = (): number[] => marked(`SLIPWAY_OWNER=${owner}`);
  const waiting = await eventually(() => (there().length > 0 ? there() : undefined));
  const { pid, notes } = await note(mine, 'a');
  expect(notes).toEqual(['a']);
  expect(waiting).toContain(pid);
  expect((await note(mine, 'b')).pid).toBe(pid);
  // Another one waits now; neither outlives Slipway.
  const both = await eventually(() => (there().length > waiting.length ? there() : undefined));
  await running.stop();
  expect(await survivors(both)).toEqual([]);
});
