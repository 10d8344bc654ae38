/** A port that somebody else has. */
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { freePort } from '../../reconciler/drivers/process/port.ts';
import { server } from '../helpers/config.ts';
import { Desk } from '../helpers/slipway.ts';

test('impersonation: who has the port of a server gets none of its calls, and the server is not said to run', async () => {
  const other = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  let connections = 0;
  other.on('connection', () => connections++);
  await using desk = new Desk();
  const spec = { command: ['node', '-e', 'setInterval(() => {}, 1000)'], transport: 'http', http: { port } };
  desk.push({
    'a.yaml': JSON.stringify({ apiVersion: 'slipway/v1', kind: 'Server', metadata: { name: 'a' }, spec }),
    'b.yaml': server('tiny', 'good', ['v1']),
  });
  await desk.up();
  const call = await desk.call('a', 'anything');
  expect(call.code).not.toBe(0);
  const status = await desk.status();
  expect(JSON.stringify(status.servers.find(({ name }) => name === 'a'))).toContain(`port ${port} is taken`);
  expect((await desk.call('tiny', 'version')).out).toContain('v1');
  expect(connections).toBe(0);
  other.close();
  await once(other, 'close');
  expect(await freePort(port)).toBe(port);
});
