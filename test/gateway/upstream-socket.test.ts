/** The socket of an instance that another process serves. */
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connectSocket } from '../../gateway/upstream/socket.ts';
import { tempDir } from '../helpers/temp.ts';

test('what cannot be taken in ends that conversation, with the reason, and nothing else', async () => {
  using dir = tempDir();
  const path = dir.at('s');
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write('{"jsonrpc":"2.0","method":"notifications/message","params":{}}\n'));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const connection = await connectSocket(path, {
    onClose: resolve,
    onReopen: () => {},
    onNotification: () => {
      throw new TypeError('no such thing was ever said');
    },
  });
  await expect(connection.request('tools/list')).rejects.toMatchObject({
    code: 'upstream-unavailable',
    // What is wrong inside is no client's business.
    message: 'The server said what could not be taken in.',
    cause: new TypeError('no such thing was ever said'),
  });
  await closed;
});
