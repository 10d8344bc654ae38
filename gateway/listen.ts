/** Sockets: TCP and unix listeners with limits that hold against slow and oversized requests. */
import { chmod, lstat, unlink } from 'node:fs/promises';
import type { IncomingMessage, Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { SlipwayError } from '../schemas/errors.ts';
import { isLoopback, type ListenAddress } from '../schemas/listen.ts';
import { createServer } from '../schemas/node-http.ts';
import type { Source } from './exchange.ts';
import type { Handle } from './http/message.ts';
import { PlainConnections } from './http/plain-connections.ts';
import { MAX_HEAD_BYTES } from './http/plain-request.ts';
import { NamedResponse } from './rpc/response.ts';
import { noHosts, ownHosts } from './steps/origin.ts';

/** How long a client may take to send its headers, its whole request, and to stay silent between requests (ms). */
const HEADERS_TIMEOUT = 15_000;
const REQUEST_TIMEOUT = 60_000;
const KEEP_ALIVE_TIMEOUT = 65_000;

/** A bound socket. `source` is what its requests are marked with. */
export interface Listener {
  readonly source: Source;
  readonly url: string;
  /** Stops accepting; resolves when the last connection is gone. Safe to call twice. */
  close(): Promise<void>;
  /** Cuts whatever is still open. */
  cut(): void;
}

/** @param onConnection may end it @throws SlipwayError `listen-failed` */
export async function listenTcp(
  address: ListenAddress,
  handle: (source: Source) => Handle,
  onConnection: (socket: Socket) => void = () => {},
): Promise<Listener> {
  const server = httpServer();
  await bind(server, address, `${address.host}:${address.port}`);
  const { port } = server.address() as AddressInfo;
  const source: Source = {
    kind: 'tcp',
    loopback: isLoopback(address.host),
    own: ownHosts(address.host, port),
    closing: false,
  };
  const opened = listener(server, source, `http://${reachable(address.host)}:${port}`, handle(source));
  server.on('connection', onConnection);
  return opened;
}

/**
 * Serves on a unix socket that only this user may open.
 * @throws SlipwayError `listen-failed` when it cannot be bound, or another process answers on it
 */
export async function listenUnix(path: string, handle: (source: Source) => Handle): Promise<Listener> {
  await removeStale(path);
  const server = httpServer();
  await bind(server, { path }, path);
  // Other users of this machine must not become the trusted local principal.
  await chmod(path, 0o600);
  const source: Source = { kind: 'unix', loopback: true, own: noHosts, closing: false };
  return listener(server, source, `unix:${path}`, handle(source));
}

function httpServer(): Server<typeof IncomingMessage, typeof NamedResponse> {
  return createServer({
    ServerResponse: NamedResponse,
    // Slow-loris: a client that dribbles its headers or body is cut off.
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: 5_000,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    // Header floods.
    maxHeaderSize: MAX_HEAD_BYTES,
    // A missing Host is refused by the origin step, in the same words as a wrong one.
    requireHostHeader: false,
    noDelay: true,
  });
}

function bind(server: Server, where: { host: string; port: number } | { path: string }, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void =>
      reject(new SlipwayError('listen-failed', `Cannot listen on ${name}: ${cause.code ?? 'failed'}`, { cause }));
    server.once('error', failed);
    server.listen(where, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

function listener(server: Server, source: Source, url: string, handle: Handle): Listener {
  const plain = new PlainConnections(server, handle, { fresh: HEADERS_TIMEOUT, idle: KEEP_ALIVE_TIMEOUT });
  server.on('request', handle);
  // `Expect: 100-continue`: the body is asked for only after every check (see steps/body.ts).
  server.on('checkContinue', handle);
  let closed: Promise<void> | undefined;
  return {
    source,
    url,
    close: () => {
      source.closing = true;
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        plain.close();
      });
      return closed;
    },
    cut: () => {
      server.closeAllConnections();
      plain[Symbol.dispose]();
    },
  };
}

/** A wildcard address can be listened on but not dialled. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** A socket file outlives a crash. It is removed only if it is a socket and nothing answers on it. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket()) throw new SlipwayError('listen-failed', `${path} exists and is not a socket.`);
  const answers = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true)).on('error', () => resolve(false));
    probe.on('connect', () => probe.destroy());
  });
  if (answers) throw new SlipwayError('listen-failed', `Another process listens on ${path}.`);
  await unlink(path);
}
