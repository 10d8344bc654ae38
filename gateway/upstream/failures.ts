/** A request that could not be sent is answered with that failure: here is what its answer stands for. */
import { toSlipwayError, type SlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure, type RpcError, type RpcMessage, type RpcRequest } from '../../schemas/jsonrpc.ts';

export class Failures {
  readonly #causes = new WeakMap<RpcError, SlipwayError>();

  /** @returns the answer to give in the server's place */
  answer({ id }: RpcRequest, cause: unknown): RpcMessage {
    const failure = toSlipwayError(cause, 'upstream-unavailable');
    const error: RpcError = { code: RPC.upstream, message: failure.message };
    this.#causes.set(error, failure);
    return { jsonrpc: '2.0', id, error };
  }

  /** @returns what really happened, for an error that a request failed with */
  really(error: unknown): unknown {
    return error instanceof RpcFailure ? (this.#causes.get(error.error) ?? error) : error;
  }
}
