/** `slipway connect`: what a client says before it knows its session. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Bridge } from '../../cli/connect/bridge.ts';
import { start } from '../gateway/helpers/gateway.ts';

test('what is said before the answer to initialize waits for it', async () => {
  await using gateway = await start({});
  const said = new PassThrough({ objectMode: true });
  const warned: string[] = [];
  const bridge = new Bridge({
    wire: { fetch, url: new URL('/mcp', gateway.url) },
    write: (line) => void said.write(JSON.parse(line)),
    warn: (text) => void warned.push(text),
  });
  const say = (message: object): void => void bridge.receive(JSON.stringify({ jsonrpc: '2.0', ...message }));
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'eager', version: '1' } };
  say({ id: 1, method: 'initialize', params });
  say({ id: 2, method: 'ping' });
  say({ method: 'notifications/initialized' });
  say({ id: 3, method: 'tools/list' });
  const answers = new Map<number, unknown>();
  for await (const { id, result } of said as AsyncIterable<{ id: number; result?: unknown }>)
    if (answers.set(id, result).size === 3) break;
  expect(answers.get(2)).toEqual({});
  expect(answers.get(3)).toMatchObject({ tools: [] });
  expect(warned).toEqual([]);
  await bridge.finish();
});
