/** From an endpoint to a connection, by its transport. */
import type { Connect } from '../../schemas/peer.ts';
import { HttpConnection } from './http.ts';
import type { Open } from './link.ts';
import { localConnection } from './local.ts';
import { connectSocket } from './socket.ts';
import { connectSse } from './sse.ts';

/** @param inProcess hands over instances that live in this process, so that their messages skip the socket */
export function opener(inProcess: Connect | undefined): Open {
  return async (endpoint, handlers) => {
    if (endpoint.transport === 'http') return new HttpConnection(new URL(endpoint.address), handlers);
    if (endpoint.transport === 'sse') return connectSse(new URL(endpoint.address), handlers);
    const local = localConnection(inProcess, endpoint.id, handlers);
    return local ?? connectSocket(endpoint.address.replace(/^unix:/, ''), handlers);
  };
}
