/** Instances that live in this process: the bridge's own stream, seen as any other connection. */
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Connect, Connection } from '../../schemas/peer.ts';
import { NotDelivered, type LinkHandlers } from './link.ts';

/** @param isolated whether it is to be a process that nobody shares. @returns `undefined` if the instance does not live here */
export function localConnection(
  connect: Connect | undefined,
  endpointId: string,
  handlers: LinkHandlers,
  isolated: boolean,
): Connection | undefined {
  const connection = connect?.(endpointId, handlers, { isolated });
  if (!connection) return undefined;
  return {
    get inFlight() {
      return connection.inFlight;
    },
    request: (method, params, options) => {
      const before = connection.inFlight;
      const answer = connection.request(method, params, options);
      if (connection.inFlight > before || options?.signal?.aborted) return answer;
      // A conversation that has ended takes no request: it does not even count it.
      return answer.catch((error: unknown) => {
        // Taken and answered at once, or taken back: who only listens is not counted either.
        if (error instanceof RpcFailure || options?.signal?.aborted) throw error;
        handlers.onClose();
        connection.close();
        throw new NotDelivered('The instance has ended.', error);
      });
    },
    notify: (method, params) => connection.notify(method, params),
    close: () => connection.close(),
  };
}
