/** Plain answers. */
import type { HttpResponse } from '../http/message.ts';
import type { JsonBytes } from './json.ts';
import { leave } from './turn.ts';

export function sendJson(response: HttpResponse, status: number, body: unknown): void {
  sendText(response, status, JSON.stringify(body) ?? 'null', 'application/json');
}

export function sendText(
  response: HttpResponse,
  status: number,
  text: string,
  type = 'text/plain',
  headers?: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    'Content-Type': type === 'text/plain' ? 'text/plain; charset=utf-8' : type,
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  leave(() => response.end(text));
}

/** Bytes as they are, in one system call with the headers. */
export function sendJsonBytes(response: HttpResponse, { parts, size }: JsonBytes): void {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': size });
  leave(() => {
    response.cork();
    for (const part of parts) response.write(part);
    response.end();
  });
}

export function sendEmpty(response: HttpResponse, status: 202 | 204): void {
  response.writeHead(status, status === 202 ? { 'Content-Length': 0 } : {});
  response.end();
}
