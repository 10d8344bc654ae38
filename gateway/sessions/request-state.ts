/**
 * What a client of MCP 2026-07-28 carries from an `input_required` result to its retry (`requestState`): sealed, and
 * bound to who may come back with it, where, with which request, and until when.
 */
import { createHash } from 'node:crypto';
import { isVerbatim } from '../../schemas/exact-json.ts';
import { RPC, RpcFailure, type RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Caller } from '../exchange.ts';
import { PARKING_TIME } from './parked.ts';

/** What it leads back to: a call that is parked here, or the server that asked, with what that gave us to keep; or just to the call. */
export type Lead =
  | { readonly parked: string }
  | { readonly server: string; readonly state?: unknown }
  | { readonly anew: true };

interface Bound {
  readonly lead: Lead;
  readonly principal: string;
  readonly route: string;
  readonly request: string;
  /** Unix time in ms. */
  readonly expires: number;
}

export function sealState({ state, identity, route }: Caller, request: RpcRequest, lead: Lead): string {
  const bound: Bound = {
    lead,
    principal: identity.key,
    route: route.path,
    request: digestOf(request),
    expires: Date.now() + PARKING_TIME,
  };
  return state.seal.close('requestState', bound);
}

/**
 * State tampering, another principal's handle, one of another route or request, an old one: all look the same, so that a
 * guesser learns nothing.
 * @throws RpcFailure invalid params
 */
export function openState({ state, identity, route }: Caller, request: RpcRequest, text: unknown): Lead {
  const bound = typeof text === 'string' ? (state.seal.reveal('requestState', text) as Bound | undefined) : undefined;
  if (
    !bound ||
    bound.principal !== identity.key ||
    bound.route !== route.path ||
    bound.expires <= Date.now() ||
    bound.request !== digestOf(request)
  )
    throw badState();
  return bound.lead;
}

export function badState(): RpcFailure {
  return new RpcFailure({ code: RPC.invalidParams, message: 'The requestState is not valid here, or not any more' });
}

/** The same for a request and its retries, in whatever order their fields come. */
function digestOf({ method, params = {} }: RpcRequest): string {
  const { _meta, requestState: _state, inputResponses: _responses, ...rest } = params;
  const text = JSON.stringify([method, rest], (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && !isVerbatim(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash('sha256').update(text).digest('base64url');
}
