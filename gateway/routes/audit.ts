/** `/v1/audit` and `/v1/audit/sessions`: the log for those with the scope `audit`. Whoever may not see all of it sees their own. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Exchange } from '../exchange.ts';
import { sendJson } from '../rpc/respond.ts';
import type { Identity } from '../steps/authenticate.ts';

export const AUDIT_PATHS: ReadonlySet<string> = new Set(['/v1/audit', '/v1/audit/sessions']);

/** @throws SlipwayError `forbidden` */
export function authorizeAudit({ grant }: Identity): void {
  if (!grant.scope('audit')) throw new SlipwayError('forbidden', 'The audit log needs the scope audit.');
}

/** @throws SlipwayError `forbidden` for others' events without the operation `audit` */
export async function serveAudit(exchange: Exchange, { key, grant }: Identity): Promise<void> {
  const { state, request, response, path } = exchange;
  if (!state.control) throw new SlipwayError('not-found');
  const query = new URLSearchParams((request.url ?? '').slice(path.length));
  if (!grant.operation('audit')) {
    if ((query.get('principal') ?? key) !== key)
      throw new SlipwayError('forbidden', "Others' events need the operation audit.");
    query.set('principal', key);
  }
  query.delete('follow');
  const gone = new AbortController();
  response.once('close', () => gone.abort(new SlipwayError('cancelled')));
  const { status, body } = await state.control({
    method: 'GET',
    path: path.slice('/v1'.length),
    query,
    signal: gone.signal,
  });
  sendJson(response, status, body ?? {});
}
