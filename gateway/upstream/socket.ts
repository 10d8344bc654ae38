/** An instance's stdio, served by the bridge on a unix socket: one JSON message per line. */
import { connect, type Socket } from 'node:net';
import { SlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import { messagesIn } from '../../schemas/jsonrpc.ts';
import { LineSplitter } from '../../schemas/lines.ts';
import { Peer, type Connection } from '../../schemas/peer.ts';
import { Turns } from '../../schemas/turns.ts';
import { MAX_MESSAGE_BYTES, NotDelivered, type LinkHandlers } from './link.ts';

/** What may wait for an upstream that does not read before it counts as gone (bytes). */
const MAX_UNREAD = 64 * 1024 * 1024;

/** @throws NotDelivered when nothing listens at `path` */
export async function connectSocket(path: string, handlers: LinkHandlers): Promise<Connection> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const dialled = connect(path);
    dialled.once('connect', () => resolve(dialled));
    dialled.once('error', (cause) => reject(new NotDelivered('Nothing listens on its socket.', cause)));
  });
  const peer = new Peer({
    ...handlers,
    send: (message) => {
      // What is sent in one turn of the event loop leaves in one system call.
      if (socket.writableCorked === 0) {
        socket.cork();
        setImmediate(uncork, socket);
      }
      socket.write(`${JSON.stringify(message)}\n`);
      if (socket.writableLength > MAX_UNREAD) socket.destroy();
    },
  });
  let closing = false;
  let reason = new SlipwayError('upstream-unavailable', 'The server closed the connection.');
  /** Nothing that one server says may end the program that serves all the others. */
  const safely = (take: () => void): void => {
    try {
      take();
    } catch (cause) {
      reason = new SlipwayError('upstream-unavailable', 'The server said what could not be taken in.', { cause });
      socket.destroy();
    }
  };
  const turns = new Turns((message) => safely(() => peer.receive(message)));
  const lines = new LineSplitter((line) => receive(turns, line), { maxBytes: MAX_MESSAGE_BYTES });
  socket.on('data', (chunk: Buffer) => safely(() => lines.push(chunk)));
  socket.on('error', () => {});
  socket.on('close', () => {
    peer.close(reason);
    if (!closing) handlers.onClose();
  });
  return {
    get inFlight() {
      return peer.inFlight;
    },
    request: (method, params, options) => {
      // Seen by the kernel but not yet by us as closed: what is not written cannot have been received.
      if (!socket.writable) return Promise.reject(new NotDelivered('The server closed the connection.'));
      return peer.request(method, params, options);
    },
    notify: (method, params) => peer.notify(method, params),
    close: () => {
      closing = true;
      socket.destroy();
    },
  };
}

function uncork(socket: Socket): void {
  socket.uncork();
}

/** Servers print all sorts of things on stdout; what is no message is not for us. */
function receive(turns: Turns, line: string): void {
  let value: unknown;
  try {
    value = parseExact(line);
  } catch {
    return;
  }
  for (const message of messagesIn(value)) turns.push(message);
}
