/** Serves an instance on a unix socket: JSON-RPC, one message per line, for a gateway in another process. */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { SlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import { asMessage, progressTokenOf } from '../../schemas/jsonrpc.ts';
import { LineSplitter } from '../../schemas/lines.ts';
import { Peer, type Asked, type Connection, type ConnectionHandlers, type RequestOptions } from '../../schemas/peer.ts';

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
  const peer: Peer = new Peer({
    send: (message) => {
      // A client that stops reading must not make us keep everything it did not read.
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
      else socket.write(`${JSON.stringify(message)}\n`);
    },
    onRequest: ({ method, params }, asked) => connection.request(method, params, optionsFor(params, asked)),
    onNotification: ({ method, params }) => connection.notify(method, params),
  });
  const connection = open({
    onRequest: ({ method, params }, asked) => peer.request(method, params, optionsFor(params, asked)),
    onNotification: ({ method, params }) => peer.notify(method, params),
  });
  const lines = new LineSplitter((line) => receive(line, peer), {
    maxBytes: MAX_MESSAGE_BYTES,
    onTooLong: () => socket.destroy(),
  });
  socket.on('data', (chunk: Buffer) => lines.push(chunk));
  socket.once('close', () => {
    peer.close(new SlipwayError('cancelled', 'The connection was closed.'));
    connection.close();
  });
}

/** A request that is passed on ends when the one who asked ends it, and tells that one of its progress. */
function optionsFor(params: Record<string, unknown> | undefined, { signal, progress }: Asked): RequestOptions {
  const wanted = progressTokenOf(params) !== undefined;
  return { signal, ...(wanted ? { onProgress: progress } : {}) };
}

function receive(line: string, peer: Peer): void {
  try {
    const message = asMessage(parseExact(line));
    if (message) peer.receive(message);
  } catch {
    // Not JSON: there is no id to answer to, and the next line may be fine.
  }
}
