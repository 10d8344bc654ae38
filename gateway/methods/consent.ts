/** What a client is told whose call needs the consent of a person first. */
import { SlipwayError } from '../../schemas/errors.ts';
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Call } from '../era/era.ts';
import type { Json } from '../rpc/json.ts';
import { URL_ELICITATION_REQUIRED } from '../sessions/elicitations.ts';
import type { Consent, NeedsAuthorization } from '../upstream/auth/needs.ts';
import type { Server } from '../upstream/server.ts';

/** How long it may take to find out where to send a person (ms). */
const TIMEOUT = 30_000;

/**
 * The address of the consent: as a visit that the client asks its person to make, where it can (URL mode), else as the
 * text of a failed tool, which a model reads and tells.
 * @returns a result @throws what the client gets otherwise
 */
export async function askConsent(call: Call, server: Server, needs: NeedsAuthorization): Promise<Json> {
  const { identity, route } = call.caller;
  // Confused deputy: who consents for all decides whose account all of them use.
  if (needs.shared && !identity.grant.may('edit', 'servers', server.name, route.project))
    return tell(call, server, needs, `${needs.message} Somebody who may edit the server can do that.`);
  let consent: Consent;
  try {
    consent = await needs.begin(AbortSignal.timeout(TIMEOUT));
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return tell(call, server, error, `${needs.message} ${error.message}`);
  }
  const message = `${needs.message} Open this address in a browser, then try again:`;
  if (!call.takesUrls) return tell(call, server, needs, `${message} ${consent.url}`);
  const elicitation = { mode: 'url', elicitationId: consent.id, url: consent.url, message: needs.message };
  return call.refused(
    new RpcFailure({ code: URL_ELICITATION_REQUIRED, message, data: { elicitations: [elicitation] } }),
    server,
    true,
  );
}

function tell(call: Call, server: Server, { code, hint }: SlipwayError, text: string): Json {
  if (call.request.method === 'tools/call') {
    call.caller.trace.toolFailed(code);
    return call.encode({ content: [{ type: 'text', text }], isError: true }, server);
  }
  throw new SlipwayError(code, text, { hint });
}
