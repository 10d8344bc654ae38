/** Clients of servers that are made by hand, for as long as one test takes. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { HttpClient } from '../../../gateway/upstream/http1/client.ts';
import { opened } from '../../helpers/opened.ts';

export const POST = { method: 'POST', headers: { 'Content-Type': 'text/plain' } } as const;

/** A response of known length. @param more headers, each with its line end */
export const answer = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

export class Caller {
  readonly client: HttpClient;
  readonly url: URL;

  constructor(url: string) {
    this.url = new URL(url);
    this.client = new HttpClient(this.url, false);
    onTestFinished(() => this.client.close());
  }

  /** @returns status and body */
  async post(body: string, signal?: AbortSignal): Promise<[number, string]> {
    const parts: Buffer[] = [];
    const reader = { onData: (chunk: Buffer) => void parts.push(Buffer.from(chunk)) };
    const { status } = await this.client.send(this.url, { ...POST, body, signal }, reader);
    return [status, Buffer.concat(parts).toString()];
  }
}

export async function http(listener: RequestListener): Promise<Caller> {
  return new Caller(`${await opened(createServer(listener))}/a%20b?c=d`);
}

/** A server that says what it is told to, byte by byte. @param serve is called for each connection */
export async function tcp(serve: (socket: Socket, number: number) => void): Promise<Caller> {
  const sockets = new Set<Socket>();
  let number = 0;
  const server = createTcp((socket) => {
    sockets.add(socket.on('error', () => {}));
    serve(socket, ++number);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return new Caller(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

/** The next turn of the event loop, after what has come in was read. */
export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
