/** How the bridge and a server that has just started agree on what they speak. */
import { SlipwayError } from '../../schemas/errors.ts';
import { CLIENT_CAPABILITIES, LEGACY_VERSIONS, RpcFailure } from '../../schemas/jsonrpc.ts';
import { isDiscovered, offersOurs, ourselves } from '../../schemas/modern.ts';
import type { Peer } from '../../schemas/peer.ts';
import type { LogFile } from './log-file.ts';
import type { Agreed, StdioProcess } from './stdio.ts';

/** How long a server may leave the probe unanswered before it is tried the old way too (ms; at most a third of all). */
const SILENCE = 5_000;

export interface HandshakeOptions {
  readonly version: string;
  /** How long the handshake may take. */
  readonly timeoutMs: number;
  /** Ends the handshake early. */
  readonly signal: AbortSignal;
  /** Whether the server is asked first what it speaks. One that did not survive the question is not asked again. */
  readonly probe: boolean;
}

/** The question killed it: old servers know only `initialize` at this point, and some take anything else badly. */
export class Unprobed extends SlipwayError {}

/** @throws SlipwayError not-ready */
export async function handshake(
  peer: Peer,
  process: StdioProcess,
  log: LogFile,
  options: HandshakeOptions,
): Promise<Agreed> {
  const { timeoutMs } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]);
  let probing = options.probe;
  const ended = process.ended.then((why) => {
    const message = `The server ended before it was ready: ${why}.`;
    if (process.outage) throw new SlipwayError('engine-unreachable', message);
    throw probing ? new Unprobed('not-ready', message) : new SlipwayError('not-ready', message);
  });
  ended.catch(() => {}); // It ends some day; only until the handshake is done does that matter here.
  try {
    const probed = options.probe ? probe(peer, options, signal) : undefined;
    void probed?.answered.then(() => (probing = false));
    return await Promise.race([agree(peer, options, signal, probed), ended]);
  } catch (error) {
    if (error instanceof RpcFailure)
      throw new SlipwayError('not-ready', `The server refused initialize: ${log.redact(error.message)}`);
    if (signal.aborted && !options.signal.aborted)
      throw new SlipwayError('not-ready', `The server did not answer initialize within ${timeoutMs / 1000} s.`);
    throw error;
  }
}

interface Probe {
  /** What the server said of itself; `undefined` if it does not speak like this. Never rejects. */
  readonly found: Promise<Agreed | undefined>;
  /** Resolves when it has answered at all, or has been silent for so long that it is tried the old way too. */
  readonly answered: Promise<unknown>;
}

function probe(peer: Peer, { version, timeoutMs }: HandshakeOptions, signal: AbortSignal): Probe {
  const ask = (): Promise<unknown> => peer.request('server/discover', ourselves(version), { signal });
  const found = ask()
    .catch((error: unknown) => (error instanceof RpcFailure && offersOurs(error.error) ? ask() : undefined))
    .then(
      (result) => (isDiscovered(result) ? (result as unknown as Agreed) : undefined),
      () => undefined,
    );
  const patience = Promise.withResolvers<void>();
  const timer = setTimeout(patience.resolve, Math.min(SILENCE, timeoutMs / 3));
  void found.finally(() => clearTimeout(timer));
  return { found, answered: Promise.race([found, patience.promise]) };
}

/**
 * What a server answers to the probe decides, if it answers in time. One that was silent hears `initialize` too; if it
 * answers that, it is bound to what it began, whatever it answers to the probe afterwards.
 */
async function agree(
  peer: Peer,
  { version }: HandshakeOptions,
  signal: AbortSignal,
  probed: Probe | undefined,
): Promise<Agreed> {
  const found = await probed?.answered;
  if (found) return found as Agreed;
  const params = {
    protocolVersion: LEGACY_VERSIONS[0],
    capabilities: CLIENT_CAPABILITIES,
    clientInfo: { name: 'slipway', version },
  };
  try {
    const result = (await peer.request('initialize', params, { signal })) as Agreed;
    peer.notify('notifications/initialized');
    return result;
  } catch (error) {
    const late = error instanceof RpcFailure ? await probed?.found : undefined;
    if (late) return late;
    throw error;
  }
}
