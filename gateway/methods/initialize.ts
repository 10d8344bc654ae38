/** `initialize`: agrees on a version and hands out a sealed session. */
import { LEGACY_VERSIONS, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { capabilitiesOf, introduceAll } from '../capabilities.ts';
import type { Caller } from '../exchange.ts';
import type { Answer } from '../rpc/reply.ts';
import { namesOf } from '../sessions/capabilities.ts';
import { instructionsFor } from './discover.ts';

export async function initialize(caller: Caller, request: RpcRequest, reply: Answer): Promise<string> {
  const { state, route, identity } = caller;
  const asked = request.params?.['protocolVersion'];
  const version = LEGACY_VERSIONS.find((known) => known === asked) ?? LEGACY_VERSIONS[0];
  const capabilities = namesOf(request.params?.['capabilities']);
  await introduceAll(route);
  state.metrics.sessions++;
  const sealed = state.seal.open({ route: route.path, principal: identity.key, version, capabilities });
  const session = reply.sessionId(sealed) ?? state.seal.read(sealed)?.id;
  const instructions = await instructionsFor(caller, session);
  return JSON.stringify({
    protocolVersion: version,
    capabilities: capabilitiesOf(route),
    serverInfo: { name: 'slipway', version: state.version },
    ...(instructions === '' ? {} : { instructions }),
  });
}
