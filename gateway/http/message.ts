/** What the gateway needs of a request and of its answer, whoever reads the one and writes the other. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { PlainRequest } from './plain-request.ts';

export type HttpRequest = PlainRequest | IncomingMessage;

/** As `node:http` has it, and no more of it than is used. */
export interface HttpResponse extends NodeJS.EventEmitter {
  /** Under which the audit log has it. The answer's head tells the client. */
  requestId?: string | undefined;
  statusCode: number;
  /** Whether the connection stays for the next request. */
  shouldKeepAlive: boolean;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  /** What waits until the client has read what was sent before (bytes). */
  readonly writableLength: number;
  /** It is answered to the end, or its connection is gone; `close` tells when. */
  readonly destroyed: boolean;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers?: OutgoingHttpHeaders): unknown;
  flushHeaders(): void;
  /** What is written from now on leaves at the end, together. */
  cork(): void;
  /** @returns whether the client keeps up; or else `drain` tells when it does again */
  write(chunk: string | Uint8Array): boolean;
  end(chunk?: string): unknown;
  /** Ends the connection. */
  destroy(): unknown;
  /** The client asked whether to send its body (`Expect: 100-continue`). */
  writeContinue(): void;
}

/** Answers a request. Never throws. */
export type Handle = (request: HttpRequest, response: HttpResponse) => void;
