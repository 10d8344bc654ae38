/** Log-in in a browser elsewhere, with a code that is read off the terminal (RFC 8628). */
import { setTimeout as delay } from 'node:timers/promises';
import type { TokenEndpointResponse } from 'oauth4webapi';
import type { Io } from '../io.ts';
import { asFailed } from './browser.ts';
import { codeOf, failed, optionsFor, type Journey } from './provider.ts';

/** RFC 8628 §3.5 (s): where the provider says none, and what is added when it says `slow_down`. */
const INTERVAL = 5;

/** @throws SlipwayError `authorization-failed` */
export async function byDevice(journey: Journey, io: Io): Promise<TokenEndpointResponse> {
  const oauth = await import('oauth4webapi');
  const { as, client, resource, scope, signal } = journey;
  if (as.device_authorization_endpoint === undefined)
    throw failed(`${as.issuer} knows no log-in by device code.`, undefined, 'Leave out --device.');
  try {
    const parameters = new URLSearchParams({ resource, ...(scope === '' ? {} : { scope }) });
    const auth = oauth.None();
    const asked = await oauth.deviceAuthorizationRequest(as, client, auth, parameters, await optionsFor(as, signal));
    const grant = await oauth.processDeviceAuthorizationResponse(as, client, asked);
    io.err(`Log in at ${grant.verification_uri} on any device, with the code ${grant.user_code}`);
    if (grant.verification_uri_complete !== undefined) io.err(`or here: ${grant.verification_uri_complete}`);
    const ends = performance.now() + grant.expires_in * 1000;
    for (let interval = grant.interval ?? INTERVAL; performance.now() < ends;) {
      await delay(interval * 1000, undefined, { signal });
      try {
        const response = await oauth.deviceCodeGrantRequest(as, client, auth, grant.device_code, {
          ...(await optionsFor(as, signal)),
          additionalParameters: { resource },
        });
        return await oauth.processDeviceCodeResponse(as, client, response);
      } catch (error) {
        const code = codeOf(error);
        if (code === 'slow_down') interval += INTERVAL;
        else if (code !== 'authorization_pending') throw error;
      }
    }
    throw failed(`Nobody logged in at ${as.issuer} in time.`);
  } catch (cause) {
    signal.throwIfAborted();
    throw asFailed(as.issuer, cause);
  }
}
