/** The first words to a server, and what to say when they lead to nothing. */
import { SlipwayError } from '../../schemas/errors.ts';
import { redactText } from '../../schemas/secret-shapes.ts';
import { CLIENT_CAPABILITIES, LEGACY_VERSIONS, RpcFailure } from '../../schemas/jsonrpc.ts';

/** How long a server may take from the first byte to its answer to `initialize`; a sleeping one has to start (ms). */
export const OPEN_TIMEOUT = 60_000;

/** The parameters of `initialize`. @param version ours */
export function hello(version: string): Record<string, unknown> {
  return {
    protocolVersion: LEGACY_VERSIONS[0],
    capabilities: CLIENT_CAPABILITIES,
    clientInfo: { name: 'slipway', version },
  };
}

export function tooSlow(): SlipwayError {
  return new SlipwayError('upstream-timeout', 'The server did not initialize in time.');
}

export function wordsFor(error: unknown): string {
  if (error instanceof RpcFailure) return `The server refused to initialize: ${redactText(error.message).text}`;
  return error instanceof SlipwayError ? error.message : 'The server could not be initialized.';
}
