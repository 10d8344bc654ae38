/** Connections to servers: when one is used again, and what it keeps, asks and lets go of meanwhile. */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { eventually } from '../helpers/until.ts';
import { answer, http, POST, tcp, turn } from './helpers/callers.ts';

describe('a connection is used again only if nothing speaks against it', () => {
  /** @returns how many connections two calls take, one after the other */
  async function takes(respond: (socket: Socket) => void, between?: () => Promise<unknown>): Promise<number> {
    let connections = 0;
    const caller = await tcp((socket, number) => {
      connections = number;
      socket.on('data', () => respond(socket));
    });
    expect(await caller.post('one')).toEqual([200, 'right']);
    await between?.();
    expect(await caller.post('two')).toEqual([200, 'right']);
    return connections;
  }

  test('it is', async () => {
    expect(await takes((socket) => socket.write(answer('right')))).toBe(1);
    const longer = answer('right', 'Keep-Alive: timeout=600\r\n');
    expect(await takes((socket) => socket.write(longer))).toBe(1);
  });

  test('the server says that it was the last', async () => {
    expect(await takes((socket) => socket.write(answer('right', 'Connection: close\r\n')))).toBe(2);
    // The time that it gives is over before a request could be there.
    expect(await takes((socket) => socket.write(answer('right', 'Keep-Alive: timeout=1\r\n')))).toBe(2);
  });

  test('nobody used it for as long as the server keeps one, less a second', async () => {
    const closed = Promise.withResolvers<void>();
    const respond = (socket: Socket): void =>
      void socket.once('end', () => closed.resolve()).write(answer('right', 'Keep-Alive: timeout=2\r\n'));
    expect(await takes(respond, () => closed.promise)).toBe(2);
  });

  test('the server hung up meanwhile', async () => {
    // Without having said so, and while the next call is on its way already.
    expect(await takes((socket) => socket.end(answer('right')))).toBe(2);
  });

  /** Tells the server to do something while the connection is idle, and waits for so many turns. */
  const meanwhile = async (act: (socket: Socket) => void, turns: number): Promise<number> => {
    let last: Socket | undefined;
    const respond = (socket: Socket): void => void (last = socket).write(answer('right'));
    return takes(respond, async () => {
      act(last as Socket);
      for (let at = 0; at < turns; at++) await turn();
    });
  };

  test('what has ended a moment ago is not sent on: nobody could say what became of that', async () => {
    // In the first turn nothing has been read yet of what the server did.
    for (let turns = 2; turns < 8; turns++) {
      expect(await meanwhile((socket) => socket.end(), turns)).toBe(2);
      expect(await meanwhile((socket) => socket.write(answer('wrong')), turns)).toBe(2);
      expect(await meanwhile((socket) => socket.resetAndDestroy(), turns)).toBe(2);
    }
  });

  test('response queue poisoning: an answer too many, at once or later, is nobody’s answer', async () => {
    expect(await takes((socket) => socket.write(answer('right') + answer('wrong')))).toBe(2);
    const closed = Promise.withResolvers<void>();
    let isFirst = true;
    const twice = (socket: Socket): void => {
      socket.on('close', () => closed.resolve()).write(answer('right'));
      if (isFirst) setTimeout(() => socket.write(answer('wrong')), 20);
      isFirst = false;
    };
    expect(await takes(twice, () => closed.promise)).toBe(2);
  });

  test('the server answered before it had heard the request to its end', async () => {
    let connections = 0;
    const caller = await tcp((socket, number) => {
      connections = number;
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
      });
    });
    expect(await caller.post('x'.repeat(20_000_000))).toEqual([413, '']);
    await turn();
    expect(await caller.post('y')).toEqual([413, '']);
    expect(connections).toBe(2);
  });
});

test('a connection holds on to nothing of what went over it', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const caller = await http((request, response) => request.pipe(response));
  const ask = async (): Promise<WeakRef<object>> => {
    const reader = {};
    await caller.client.send(caller.url, { ...POST, body: 'x' }, reader);
    return new WeakRef(reader);
  };
  const readers: WeakRef<object>[] = [];
  for (let at = 0; at < 3; at++) readers.push(await ask());
  await eventually(() => {
    collect();
    return readers.every((reader) => reader.deref() === undefined);
  });
});

test.runIf(process.platform === 'linux')(
  'a stream that is silent for hours notices when the other side is gone',
  async () => {
    const asked = Promise.withResolvers<Socket>();
    const caller = await tcp((socket) => socket.once('data', () => asked.resolve(socket)));
    const stop = new AbortController();
    const running = caller.post('x', stop.signal);
    const { remotePort = 0, localPort = 0 } = await asked.promise;
    const address = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    // Of connections that stand; what is left of others may have had the same ports.
    const ours = `${address(remotePort)} ${address(localPort)} 01 `;
    const row = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .find((line) => line.includes(ours));
    // The kernel's timer of that socket: 2 is keepalive.
    expect(row?.trim().split(/\s+/)[5]).toMatch(/^02:/);
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  },
);
