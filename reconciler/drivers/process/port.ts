/** Ports for HTTP servers on this host. */
import { createServer } from 'node:net';
import { SlipwayError } from '../../../schemas/errors.ts';

/**
 * A port that is free now. Somebody may take it before the server does.
 * @param wanted Impersonation: whoever has it already would be taken for the server, and get its calls
 * @throws SlipwayError `start-failed` where it is taken
 */
export function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'is taken by another process' : `cannot be had (${cause.code})`;
      reject(new SlipwayError('start-failed', `The port ${wanted} ${why}.`, { cause }));
    });
    probe.listen(wanted, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : wanted;
      probe.close(() => resolve(port));
    });
  });
}
