/** What an era of MCP is made of. Legacy is the first; each later one is a file beside it with a table of its own. */
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Caller } from '../exchange.ts';
import type { Reply } from '../rpc/reply.ts';
import type { Session } from '../sessions/seal.ts';

/** One JSON-RPC request with all that a method may need. */
export interface Call {
  readonly caller: Caller;
  readonly request: RpcRequest;
  readonly reply: Reply;
}

/** A call within a session. */
export interface SessionCall extends Call {
  readonly session: Session;
}

/**
 * Answers a request with its `result` as JSON text, so that prepared bytes go out as they are.
 * @throws RpcFailure, SlipwayError — become the JSON-RPC error of this request
 */
export type Method<C extends Call> = (call: C) => string | Promise<string>;
