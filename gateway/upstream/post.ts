/** HTTP towards upstreams: requests and the messages in what they answer. Redirects are not followed (SSRF). */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { SlipwayError } from '../../schemas/errors.ts';
import { asMessage, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { MAX_MESSAGE_BYTES, NotDelivered } from './link.ts';
import { SseParser } from './sse-parser.ts';

const MAX_SOCKETS = 256;
/** Failures before a connection stood: nothing was sent. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT']);

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Record<string, string | number>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
}

/** One origin's keep-alive connections. */
export class HttpClient {
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #secure: boolean;

  constructor(url: URL) {
    this.#secure = url.protocol === 'https:';
    const options = { keepAlive: true, maxSockets: MAX_SOCKETS, noDelay: true };
    this.#agent = this.#secure ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /**
   * @returns the answer as soon as its headers are there; reading or dumping its body is the caller's
   * @throws NotDelivered when no connection could be made, SlipwayError when it broke
   */
  send(url: URL, { method, headers, body, signal }: HttpCall): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = this.#secure ? httpsRequest : httpRequest;
      const call = request(url, { method, headers, agent: this.#agent, ...(signal ? { signal } : {}) }, resolve);
      call.on('error', (cause: NodeJS.ErrnoException) =>
        reject(
          NOT_CONNECTED.has(cause.code ?? '')
            ? new NotDelivered('The server cannot be reached.', cause)
            : new SlipwayError('upstream-unavailable', 'The connection to the server broke.', { cause }),
        ),
      );
      call.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/**
 * Hands on every JSON-RPC message of an answer, be it one JSON document or an event stream.
 * Resolves at its end.
 * @throws SlipwayError when the answer breaks off, is too long, or holds something else
 */
export async function readMessages(answer: IncomingMessage, onMessage: (message: RpcMessage) => void): Promise<void> {
  const type = answer.headers['content-type'] ?? '';
  try {
    if (type.startsWith('text/event-stream')) {
      await readEvents(answer, ({ data }) => {
        const message = asMessage(JSON.parse(data));
        if (message) onMessage(message);
      });
      return;
    }
    const text = await readText(answer);
    const message = type.startsWith('application/json') ? asMessage(JSON.parse(text)) : undefined;
    if (message) onMessage(message);
  } catch (cause) {
    throw new SlipwayError('upstream-unavailable', 'The server sent an answer that cannot be read.', { cause });
  }
}

/** Feeds an event stream to `onEvent` until it ends. */
export async function readEvents(
  answer: IncomingMessage,
  onEvent: (event: { event: string; data: string }) => void,
): Promise<void> {
  const parser = new SseParser(onEvent, MAX_MESSAGE_BYTES);
  await consume(answer, (chunk) => parser.push(chunk));
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  await consume(answer, (chunk) => {
    size += chunk.length;
    if (size > MAX_MESSAGE_BYTES) throw new RangeError('answer too long');
    chunks.push(chunk);
  });
  return (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString('utf8');
}

function consume(answer: IncomingMessage, onChunk: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    answer.on('data', (chunk: Buffer) => {
      try {
        onChunk(chunk);
      } catch (error) {
        answer.destroy();
        reject(error);
      }
    });
    answer.on('end', resolve);
    answer.on('error', reject);
    answer.on('close', () => reject(new Error('closed early')));
  });
}
