/** One run of a stdio server: its process, and the conversation that the bridge holds with it. */
import type { Writable } from 'node:stream';
import { SlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import { isRequest, messagesIn, RPC, RpcFailure, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { LineSplitter } from '../../schemas/lines.ts';
import { isDiscovered, MODERN_RPC, MODERN_VERSION, type Era } from '../../schemas/modern.ts';
import { Peer, type ConnectionHandlers } from '../../schemas/peer.ts';
import { OpenTasks } from '../../schemas/tasks.ts';
import { Turns } from '../../schemas/turns.ts';
import { handshake, type HandshakeOptions } from './handshake.ts';
import type { LogFile } from './log-file.ts';
import { logStream } from './log-stream.ts';
import type { Agreed, StdioProcess } from './stdio.ts';

/** A message larger than this is dropped: a runaway server must not eat the host's memory. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** More than this waiting to be read by the server means that it does not read. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

export interface Session {
  readonly process: StdioProcess;
  readonly peer: Peer;
  readonly agreed: Agreed;
  readonly era: Era;
  /** Those that it works on for clients: they end with it. */
  readonly tasks: OpenTasks;
}

/** Wires a process's stdio to a peer and performs MCP's handshake. @throws SlipwayError not-ready */
export async function openSession(
  process: StdioProcess,
  handlers: ConnectionHandlers,
  log: LogFile,
  options: HandshakeOptions,
): Promise<Session> {
  const { stdin, stdout, stderr } = process;
  // Answers to what an earlier Slipway asked may still come: its ids must never be ours.
  const epoch = `${Date.now().toString(36)}-`;
  let next = 1;
  const tasks = new OpenTasks();
  const peer = new Peer({
    ...handlers,
    onNotification: (notification, client) => {
      tasks.told(notification);
      handlers.onNotification?.(notification, client);
    },
    ...(process.remember ? { newId: () => `${epoch}${next++}` } : {}),
    send: (message) => {
      const full = stdin.writableLength > MAX_UNREAD_BYTES;
      if (full && isRequest(message))
        throw new SlipwayError('upstream-unavailable', 'The server does not read its input.');
      // Nobody waits for anything else, and nobody could catch what is thrown here.
      if (full) return;
      // What is said in one turn of the event loop leaves in one system call.
      if (stdin.writableCorked === 0) {
        stdin.cork();
        setImmediate(uncork, stdin);
      }
      stdin.write(`${JSON.stringify(message)}\n`);
    },
  });
  const turns = new Turns((message) => take(message, peer, log));
  const output = new LineSplitter((line) => receive(line, turns, log), {
    maxBytes: MAX_MESSAGE_BYTES,
    onTooLong: (bytes) =>
      log.write('slipway', `dropped a message of ${bytes} bytes: the limit is ${MAX_MESSAGE_BYTES}`),
  });
  stdout.on('data', (chunk: Buffer) => output.push(chunk));
  logStream(stderr, 'stderr', log);
  // Before the handshake is done, its end means something else: see there.
  const agreed = process.agreed ?? (await handshake(peer, process, log, options));
  if (!process.agreed) process.remember?.(agreed);
  void process.ended.then((why) => peer.close(new SlipwayError('upstream-unavailable', `The server ended: ${why}.`)));
  return { process, peer, agreed, era: isDiscovered(agreed) ? 'modern' : 'legacy', tasks };
}

function uncork(stdin: Writable): void {
  stdin.uncork();
}

/** Servers print banners where they should not; what is no message goes to the log. */
function receive(line: string, turns: Turns, log: LogFile): void {
  let messages: readonly RpcMessage[] = [];
  try {
    messages = messagesIn(parseExact(line));
  } catch {
    // Said below.
  }
  if (messages.length === 0) return log.write('stdout', line.slice(0, 4096));
  for (const message of messages) turns.push(message);
}

function take(message: RpcMessage, peer: Peer, log: LogFile): void {
  try {
    peer.receive(message);
  } catch (error) {
    // Nothing that one server says may end the program that serves all the others.
    log.write('slipway', `a message could not be taken in: ${String(error)}`);
  }
}

/** Whether a client still expects something of a task there. Its client may not ask for long, so the server is asked. */
export async function worksOn({ tasks, peer }: Session): Promise<boolean> {
  if (tasks.any) await tasks.check((method, params, options) => peer.request(method, params, options));
  return tasks.any;
}

/** What server and bridge agreed on, for one who asks again. @throws RpcFailure as the server would refuse to talk like that */
export function answerFrom({ agreed, era }: Session, method: 'initialize' | 'server/discover'): Agreed {
  if ((era === 'modern') === (method === 'server/discover')) return agreed;
  if (era === 'legacy') throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${method}` });
  const supported = [MODERN_VERSION];
  throw new RpcFailure({
    code: MODERN_RPC.unsupportedVersion,
    message: `The server speaks MCP ${MODERN_VERSION}, which has no initialize`,
    data: { supported },
  });
}
