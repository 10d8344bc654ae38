/** Probes. They need no token and tell nothing but their one word. */
import type { Exchange } from '../exchange.ts';
import { sendText } from '../rpc/respond.ts';

export function serveHealth({ state, path, response }: Exchange): void {
  if (path !== '/readyz') return sendText(response, 200, 'ok');
  if (state.closing) return sendText(response, 503, 'shutting down');
  if (!state.ready()) return sendText(response, 503, 'not ready: no commit has been applied yet');
  sendText(response, 200, 'ok');
}
