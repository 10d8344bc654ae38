/** One at a time, over all test processes of this machine. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Runs `work` while no other process runs work of the same name. The lock is a socket in Linux's abstract namespace: it
 * goes away with its process, however that ends.
 */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  const path = `\0slipway-test-${name}`;
  const waiting = new Set<Socket>();
  let held: Server | undefined;
  while (!(held = await listen(path, waiting))) await untilFree(path);
  try {
    return await work();
  } finally {
    held.close();
    for (const socket of waiting) socket.destroy();
  }
}

/** @returns undefined where somebody else has it */
async function listen(path: string, waiting: Set<Socket>): Promise<Server | undefined> {
  const server = createServer((socket) => waiting.add(socket.on('error', () => {})));
  try {
    await once(server.listen(path), 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return undefined;
  }
}

/** Who has it says nothing: the end of the connection is the end of the lock. */
async function untilFree(path: string): Promise<void> {
  const socket = connect(path);
  socket.on('error', () => {}); // It ended meanwhile.
  await once(socket.resume(), 'close').catch(() => {});
}
