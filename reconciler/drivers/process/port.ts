/** Ports for HTTP servers on this host. */
import { createServer } from 'node:net';

/** A port that was free a moment ago. Somebody may take it first: then the server fails to start and is started again. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
