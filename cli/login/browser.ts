/** Log-in in a browser on this machine: authorization code with PKCE, back to a loopback address (RFC 8252, RFC 7636). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TokenEndpointResponse } from 'oauth4webapi';
import { SlipwayError } from '../../schemas/errors.ts';
import { createServer } from '../../schemas/node-http.ts';
import type { Io } from '../io.ts';
import { failed, optionsFor, wordsOf, type Journey } from './provider.ts';

/** How long somebody may take (ms). */
const PATIENCE = 10 * 60_000;
const PATH = '/callback';

/** Where a browser comes back to; gone with this object. */
export class Loopback implements AsyncDisposable {
  readonly #server: Server;
  readonly redirect: string;

  private constructor(server: Server) {
    this.#server = server;
    // An address, not `localhost`, which may be somebody else's (RFC 8252 §8.3).
    this.redirect = `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`;
  }

  static async open(): Promise<Loopback> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Loopback(server);
  }

  /**
   * @param state what it must bring along. CSRF: any page could send this browser here, with a code of its own choosing.
   * @throws SlipwayError `authorization-failed` when nobody comes
   */
  async visit(state: string, signal: AbortSignal): Promise<URL> {
    const patience = AbortSignal.timeout(PATIENCE);
    return new Promise((resolve, reject) => {
      const stop = AbortSignal.any([signal, patience]);
      stop.addEventListener('abort', () =>
        reject(signal.aborted ? signal.reason : failed('Nobody came back from the browser.')),
      );
      this.#server.on('request', (request, response) => {
        const url = new URL(request.url ?? '/', this.redirect);
        const isOurs = url.pathname === PATH && url.searchParams.get('state') === state;
        const text = isOurs ? 'You may close this page, and go back to the terminal.' : 'There is nothing here.';
        response
          .writeHead(isOurs ? 200 : 404, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' })
          .end(text, () => (isOurs ? resolve(url) : undefined));
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** @throws SlipwayError `authorization-failed` */
export async function byBrowser(journey: Journey, loopback: Loopback, io: Io): Promise<TokenEndpointResponse> {
  const oauth = await import('oauth4webapi');
  const { as, client, resource, scope, signal } = journey;
  if (as.authorization_endpoint === undefined) throw failed(`${as.issuer} lets nobody log in in a browser.`);
  const [state, verifier] = [oauth.generateRandomState(), oauth.generateRandomCodeVerifier()];
  const url = new URL(as.authorization_endpoint);
  const asked = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: loopback.redirect,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    resource,
    ...(scope === '' ? {} : { scope }),
    // OpenID Connect Core §11: without it, offline access may be left out.
    ...(scope.includes('offline_access') ? { prompt: 'consent' } : {}),
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  const visit = loopback.visit(state, signal);
  io.err(`Log in here, in a browser on this machine (elsewhere: --device):\n${url.href}`);
  openBrowser(url.href, io);
  try {
    const parameters = oauth.validateAuthResponse(as, client, await visit, state);
    const { redirect } = loopback;
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      oauth.None(),
      parameters,
      redirect,
      verifier,
      {
        ...(await optionsFor(as, signal)),
        additionalParameters: { resource },
      },
    );
    return await oauth.processAuthorizationCodeResponse(as, client, response);
  } catch (cause) {
    signal.throwIfAborted();
    throw asFailed(as.issuer, cause);
  }
}

export function asFailed(issuer: string, cause: unknown): SlipwayError {
  return cause instanceof SlipwayError ? cause : failed(`${issuer} lets nobody in: ${wordsOf(cause)}`, cause);
}

/** Best effort: the address was told. Nothing of it goes through a shell. */
function openBrowser(url: string, { env }: Io): void {
  const hasScreen = process.platform === 'darwin' || env['DISPLAY'] || env['WAYLAND_DISPLAY'];
  const program = env['BROWSER'] || (hasScreen ? (process.platform === 'darwin' ? 'open' : 'xdg-open') : undefined);
  if (program === undefined) return;
  const child = spawn(program, [url], { env, stdio: 'ignore', detached: true });
  child.once('error', () => {}); // There is none.
  child.unref();
}
