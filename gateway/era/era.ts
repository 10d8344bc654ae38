/**
 * What an era of MCP is made of: a codec that reads requests and writes answers, and a table of methods. Between the
 * codecs everything is said one way: a request with its parameters, a result as the server gave it, and a {@link Client}
 * that can be asked. `legacy.ts` and `modern.ts` are the eras of clients; those of servers are in `upstream/`.
 */
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Client } from '../../schemas/peer.ts';
import type { Trace } from '../audit/trace.ts';
import type { Caller } from '../exchange.ts';
import type { Json } from '../rpc/json.ts';
import type { Server } from '../upstream/server.ts';

/** One JSON-RPC request with all that a method may need, whatever era it came in. */
export interface Call {
  readonly caller: Caller;
  readonly request: RpcRequest;
  /** Of the HTTP request that waits for the answer. */
  readonly trace: Trace;
  /** Names whom it belongs to where that must be remembered: a session, or this one request. */
  readonly id: string;
  /** Which of the server's instances its request went to, or the task that it is about (`Upstream.instance`). */
  instance: string | undefined;
  /** Until when what is remembered for it counts (unix time, ms). */
  readonly until: number;
  /**
   * Opens the client's end of a request to a server: whom the server may ask, and tell.
   * @param onWaiting called when the server begins to wait for the client, and when it no longer does: once each for every question
   */
  open(server: Server, onWaiting: (waiting: boolean) => void): CallEnd;
  /** Tells the client something ahead of the answer, in order. */
  notify(method: string, params: Record<string, unknown> | undefined): void;
  /** Tells the client of a task that goes on, after the answer to this request, which began it. */
  afterwards(method: string, params: Record<string, unknown>, server: Server): void;
  /** @param listener called when the client goes away before the answer. @returns stops listening */
  onGone(listener: () => void): () => void;
  /** A result as the JSON text that the client gets. @param server whose it is; absent: the gateway's own */
  encode(result: unknown, server?: Server): Json;
  /**
   * A server's refusal, or one of ours in its place.
   * @returns the result instead of it @throws what the client gets
   */
  refused(error: unknown, server: Server, ours?: boolean): string;
  /** Whether its client can send a person to a web page. */
  readonly takesUrls: boolean;
}

export interface CallEnd extends Client {
  /** Takes back what is still unanswered. To be called before the answer of the call goes out. */
  end(): void;
}

/**
 * Answers a request with its `result` as JSON text, so that prepared bytes go out as they are.
 * @throws RpcFailure, SlipwayError — become the JSON-RPC error of this request
 */
export type Method<C extends Call> = (call: C) => Json | Promise<Json>;
