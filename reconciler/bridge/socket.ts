/** Serves an instance on a unix socket: JSON-RPC, one message per line, for a gateway in another process. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { SlipwayError } from '../../schemas/errors.ts';
import { asMessage, type Id, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { LineSplitter } from '../../schemas/lines.ts';
import { Peer, type Connection, type ConnectionHandlers } from '../../schemas/peer.ts';

const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** @returns closes the socket, its connections and its file */
export async function serveSocket(
  path: string,
  open: (handlers: ConnectionHandlers) => Connection,
): Promise<AsyncDisposable> {
  rmSync(path, { force: true }); // Left behind by a crash; the state directory's lock says that it is ours.
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    serve(socket, open);
  });
  await listen(server, path);
  chmodSync(path, 0o600); // Only this user: whoever can connect can call the server's tools.
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new SlipwayError('start-failed', `Cannot listen on ${path}.`, { cause: error })),
    );
    server.listen(path, resolve);
  });
}

function serve(socket: Socket, open: (handlers: ConnectionHandlers) => Connection): void {
  const running = new Map<Id, AbortController>();
  const peer: Peer = new Peer({
    send: (message) => {
      // A client that stops reading must not make us keep everything it did not read.
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
      else socket.write(`${JSON.stringify(message)}\n`);
    },
    onRequest: (request) => forward(request, connection, peer, running),
    onNotification: ({ method, params }) => {
      if (method === 'notifications/cancelled')
        running.get(params?.['requestId'] as Id)?.abort(new SlipwayError('cancelled'));
      else connection.notify(method, params);
    },
  });
  const connection = open({
    onRequest: ({ method, params }) => peer.request(method, params),
    onNotification: ({ method, params }) => peer.notify(method, params),
  });
  const lines = new LineSplitter((line) => receive(line, peer), {
    maxBytes: MAX_MESSAGE_BYTES,
    onTooLong: () => socket.destroy(),
  });
  socket.on('data', (chunk: Buffer) => lines.push(chunk));
  socket.once('close', () => {
    peer.close(new SlipwayError('cancelled', 'The connection was closed.'));
    for (const call of running.values()) call.abort(new SlipwayError('cancelled'));
    connection.close();
  });
}

async function forward(
  request: RpcRequest,
  connection: Connection,
  peer: Peer,
  running: Map<Id, AbortController>,
): Promise<unknown> {
  const { id, method, params } = request;
  const call = new AbortController();
  running.set(id, call);
  const progressToken = (params?.['_meta'] as { progressToken?: Id } | undefined)?.progressToken;
  const onProgress = (progress: Record<string, unknown>): void => peer.notify('notifications/progress', progress);
  try {
    return await connection.request(method, params, {
      signal: call.signal,
      ...(progressToken === undefined ? {} : { onProgress, progressToken }),
    });
  } finally {
    running.delete(id);
  }
}

function receive(line: string, peer: Peer): void {
  try {
    const message = asMessage(JSON.parse(line));
    if (message) peer.receive(message);
  } catch {
    // Not JSON: there is no id to answer to, and the next line may be fine.
  }
}
