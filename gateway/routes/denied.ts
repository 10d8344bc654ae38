/** `GET /api/v1/denied/<request id>`: why a request was refused. */
import { decoded } from '../../schemas/control.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Known } from '../exchange.ts';
import { sendJson } from '../rpc/respond.ts';

/** @throws SlipwayError `bad-request`; `forbidden` for whoever may not see roles, `not-found` for what is not, or no longer, remembered */
export function serveDenied({ state, response, path, identity }: Known): void {
  if (!identity.grant.may('view', 'roles'))
    throw new SlipwayError('forbidden', 'This needs a role that may view roles.');
  const id = decoded(path.slice(path.lastIndexOf('/') + 1));
  const denial = state.denials.find(id);
  if (!denial)
    throw new SlipwayError('not-found', `Nothing is remembered of a refusal of request ${id}.`, {
      hint: 'Only the last refusals are, and until a restart; the audit log has them for longer.',
    });
  sendJson(response, 200, denial);
}
