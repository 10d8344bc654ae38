/**
 * `DELETE /api/v1/consents/<server>`, and `…/<principal>` for somebody else's: as if the consent had never been given. What the
 * authorization server makes of it is between the person and that server.
 */
import { decoded } from '../../schemas/control.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Known } from '../exchange.ts';
import { sendJson } from '../rpc/respond.ts';
import { CONTROL_PREFIX } from './control.ts';

/**
 * One's own is nobody else's business; that of others, and the one that all share, is for those who may give the latter.
 * @throws SlipwayError `bad-request`, `forbidden`; `not-found` where nothing is kept, which is also what a server looks like
 *   that the caller may not see
 */
export function serveForget({ state, generation, response, path, identity, trace }: Known): void {
  const [server = '', principal = identity.key] = path
    .slice(`${CONTROL_PREFIX}/consents/`.length)
    .split('/')
    .map(decoded);
  const mayEdit = identity.grant.may('edit', 'servers', server);
  if (principal !== identity.key && !mayEdit)
    throw new SlipwayError('forbidden', 'To forget the consent of others takes a role that may edit the server.');
  const { auth } = generation.snapshot.servers[server] ?? {};
  const isShared = auth?.type === 'oauth' && !auth.perPrincipal;
  const isForgotten = (mayEdit || !isShared) && state.authorizer.forget(server, isShared ? undefined : principal);
  if (!isForgotten)
    throw new SlipwayError('not-found', `No consent of ${principal} for ${server} is kept here.`, {
      hint: 'Look at `slipway describe server <name>`, and at how principals are called: `token:<name>`, `user:<name>`, `local`.',
    });
  trace.server = server;
  sendJson(response, 200, { server, principal: isShared ? null : principal });
}
