/** Requests to servers over TLS: to whom, and what the second connection knows of the first. */
import { createServer } from 'node:https';
import { connect } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test, vi } from 'vitest';
import { NotDelivered } from '../../gateway/upstream/link.ts';
import { opened } from '../helpers/opened.ts';
import { LOCALHOST } from './fixtures/localhost.ts';
import { Caller, tcp, turn } from './helpers/callers.ts';

/** A server that takes one request a connection, and says of each whether it went on where an earlier one was. */
async function secure(): Promise<{ port: string; reused: readonly boolean[] }> {
  const reused: boolean[] = [];
  const server = createServer({ ...LOCALHOST }, (request, response) => {
    reused.push((request.socket as TLSSocket).isSessionReused());
    response.setHeader('Connection', 'close');
    request.pipe(response);
  });
  return { port: new URL(await opened(server)).port, reused };
}

/** Has its certificate taken for one of a known authority, until the test ends. */
function trust(): void {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, LOCALHOST.cert]);
  onTestFinished(() => setDefaultCACertificates(before));
}

test('only whom a known authority vouches for; the second connection goes on where the first was', async () => {
  const { port, reused } = await secure();
  const url = `https://127.0.0.1:${port}/`;
  await expect(new Caller(url).post('secret')).rejects.toMatchObject({
    cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  });
  expect(reused).toEqual([]);
  trust();
  for (const host of ['127.0.0.1', 'localhost']) {
    const caller = new Caller(`https://${host}:${port}/`);
    expect(await caller.post('x'.repeat(200_000))).toEqual([200, 'x'.repeat(200_000)]);
    await turn();
    expect(await caller.post('again')).toEqual([200, 'again']);
  }
  expect(reused).toEqual([false, true, false, true]);
});

test('where what was agreed on before does not help, it is begun afresh', async () => {
  const { port, reused } = await secure();
  const between = await tcp((socket, number) => {
    if (number === 2) return socket.destroy();
    const onward = connect(Number(port), '127.0.0.1').on('error', () => {});
    socket.pipe(onward).pipe(socket);
  });
  trust();
  const caller = new Caller(`https://127.0.0.1:${between.url.port}/`);
  expect(await caller.post('one')).toEqual([200, 'one']);
  await expect(caller.post('two')).rejects.toBeInstanceOf(NotDelivered);
  expect(await caller.post('three')).toEqual([200, 'three']);
  expect(reused).toEqual([false, false]);
});

test('who takes the connection and then says nothing is given up after 15 s; others are asked on connections of their own', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { port } = await secure();
  const [greeted, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const between = await tcp((socket, number) => {
    // Half of a handshake: the client has spoken, and waits.
    if (number === 1) return socket.once('data', () => greeted.resolve()).once('close', () => left.resolve());
    const onward = connect(Number(port), '127.0.0.1').on('error', () => {});
    socket.pipe(onward).pipe(socket);
  });
  trust();
  const caller = new Caller(`https://127.0.0.1:${between.url.port}/`);
  const given = caller.post('lost').catch((error: unknown) => error);
  await greeted.promise;
  expect(await caller.post('not held up')).toEqual([200, 'not held up']);
  vi.advanceTimersByTime(14_999);
  expect(await Promise.race([given, turn()])).toBeUndefined();
  vi.advanceTimersByTime(1);
  expect(await given).toBeInstanceOf(NotDelivered);
  await left.promise;
});
