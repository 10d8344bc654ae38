/** What takes its time: a delivery that never comes to its end. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { start } from '../gateway/helpers/gateway.ts';

test('slow loris: a body that does not come is given up, and its place is free', async () => {
  const outcomes: string[] = [];
  await using gateway = await start(
    {},
    {
      hooks: async (request) => {
        const outcome = await request.body(100).then(
          (body) => `${body.length} bytes`,
          (error: { code: string }) => error.code,
        );
        outcomes.push(outcome);
        return { status: 200, body: { outcome } };
      },
    },
  );
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  await once(socket, 'connect');
  const began = performance.now();
  socket.write('POST /hooks/git HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\nConnection: close\r\n\r\n{');
  expect(await text(socket)).toContain('request-timeout');
  expect(performance.now() - began).toBeLessThan(30_000);
  expect(outcomes).toEqual(['request-timeout']);
});
