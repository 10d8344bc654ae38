/** One end of a conversation, with a list where the other end would be. */
import { expect } from 'vitest';
import type { RpcMessage } from '../../schemas/jsonrpc.ts';
import { Peer, type ConnectionHandlers } from '../../schemas/peer.ts';

export interface OneEnd {
  readonly peer: Peer;
  readonly sent: RpcMessage[];
}

export function open(handlers: ConnectionHandlers = {}): OneEnd {
  const sent: RpcMessage[] = [];
  return { peer: new Peer({ ...handlers, send: (message) => sent.push(message) }), sent };
}

/** What a promise fails with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  const [outcome] = await Promise.allSettled([promise]);
  return outcome.status === 'rejected' ? outcome.reason : expect.unreachable('should have failed');
}

/** Lets whatever was promised happen. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
