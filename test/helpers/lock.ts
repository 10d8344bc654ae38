/** One at a time, over all test processes of this machine. */
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';

/**
 * Runs `work` while no other process runs work of the same name. The lock is a socket in Linux's abstract namespace: it
 * goes away with its process, however that ends.
 */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  const server = await acquire(`\0slipway-test-${name}`);
  try {
    return await work();
  } finally {
    server.close();
  }
}

async function acquire(path: string): Promise<Server> {
  for (;;) {
    const waiting = new Set<{ destroy(): void }>();
    const server = createServer((socket) => waiting.add(socket.on('error', () => {})));
    server.once('close', () => {});
    const held = await new Promise<boolean>((resolve, reject) => {
      server.once('listening', () => resolve(true));
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
      );
      server.listen(path);
    });
    if (held) {
      const close = server.close.bind(server);
      server.close = () => {
        for (const socket of waiting) socket.destroy();
        return close();
      };
      return server;
    }
    // The holder never says anything: the end of this connection is the end of its lock.
    const socket = connect(path);
    socket.on('error', () => {});
    await once(socket.resume(), 'close').catch(() => {});
  }
}
