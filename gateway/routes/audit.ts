/** `/v1/audit` and `/v1/audit/sessions`: the log for those with the scope `audit`. Whoever may not see all of it sees their own. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Known } from '../exchange.ts';
import { sendJson } from '../rpc/respond.ts';

/** @throws SlipwayError `forbidden` for others' events without the operation `audit` */
export async function serveAudit({ state, request, response, path, identity }: Known): Promise<void> {
  if (!state.control) throw new SlipwayError('not-found');
  const query = new URLSearchParams((request.url ?? '').slice(path.length));
  if (!identity.grant.operation('audit')) {
    if ((query.get('principal') ?? identity.key) !== identity.key)
      throw new SlipwayError('forbidden', "Others' events need the operation audit.");
    query.set('principal', identity.key);
  }
  query.delete('follow');
  const gone = new AbortController();
  response.once('close', () => gone.abort(new SlipwayError('cancelled')));
  const asked = { method: 'GET', path: path.slice('/v1'.length), query, signal: gone.signal, caller: identity };
  const { status, body } = await state.control(asked);
  sendJson(response, status, body ?? {});
}
