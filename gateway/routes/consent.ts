/**
 * Where people come back to after they gave their consent, and what the gateway says about itself as an OAuth client.
 * Nobody can show a token here: a browser that was sent away comes back without one. What counts is the state.
 */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Exchange } from '../exchange.ts';
import { sendJson } from '../rpc/respond.ts';
import { CLIENT_PATH, selfDescription } from '../upstream/auth/client.ts';

/** The gateway as an OAuth client, for authorization servers that look it up (Client ID Metadata Document). */
export function serveClientDocument({ response, generation }: Exchange): void {
  const base = baseOf(generation.snapshot.gateway.publicUrl) ?? '';
  if (!base.startsWith('https:')) throw new SlipwayError('not-found');
  const client_id = base + CLIENT_PATH;
  sendJson(response, 200, { client_id, ...selfDescription(base), token_endpoint_auth_method: 'none' });
}

export async function serveCallback({ state, request, response }: Exchange): Promise<void> {
  const { searchParams } = new URL(request.url ?? '', 'http://localhost');
  const { ok, server, principal, text } = await state.authorizer.consents.arrive(searchParams);
  const who = principal === undefined ? 'everybody who uses it here' : principal;
  const about = server === undefined ? '' : `<p>Server <b>${escape(server)}</b>, for <b>${escape(who)}</b>.</p>`;
  const title = ok ? 'Consent was given' : 'No consent was given';
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${about}<p>${escape(text)}</p></html>`;
  response.writeHead(ok ? 200 : 400, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(page),
    // The address of this page holds the code: it must stay in no cache, go to no other site, and run nothing.
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(page);
}

/** Without a final slash. */
export function baseOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const { origin, pathname } = new URL(url);
  return origin + pathname.replace(/\/$/, '');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
