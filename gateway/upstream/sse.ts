/** An upstream over HTTP+SSE (MCP 2024-11-05): one GET stream for what it says, POSTs for what we say. */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import { isRequest, messagesIn, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { Peer, type Connection, type RequestOptions } from '../../schemas/peer.ts';
import type { Http } from './http1/client.ts';
import type { Head } from './http1/response.ts';
import { MAX_MESSAGE_BYTES, NOTICE_TIMEOUT, NotDelivered, type LinkHandlers } from './link.ts';
import { SseParser } from '../../schemas/sse.ts';

/** How long the server may take to name the address to post to (ms). */
const ENDPOINT_TIMEOUT = 15_000;
/** What a server answers that does not know the stream any more. */
const FORGOTTEN: ReadonlySet<number> = new Set([404, 410]);

/** @throws NotDelivered when there is no such stream */
export async function connectSse(url: URL, client: Http, handlers: LinkHandlers): Promise<Connection> {
  const stop = new AbortController();
  let endpoint: URL | undefined;
  const gone = (): void => {
    if (stop.signal.aborted) return;
    peer.close(new SlipwayError('upstream-unavailable', 'The server closed the stream.'));
    close();
    handlers.onClose();
  };
  /** Messages go side by side, but nothing goes before the server knows that the handshake is done. */
  let introduced: Promise<void> = Promise.resolve();
  const send = (message: RpcMessage, options?: RequestOptions): void => {
    if ('method' in message && message.method === 'notifications/initialized') introduced = post(message);
    else void introduced.then(() => post(message, options));
  };
  /** A message that is refused is a matter of that message alone; one whose stream is not known any more, of all. */
  const post = async (message: RpcMessage, options: RequestOptions = {}): Promise<void> => {
    const own = isRequest(message) ? options.signal : AbortSignal.timeout(NOTICE_TIMEOUT);
    const call = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(message),
      signal: own ? AbortSignal.any([stop.signal, own]) : stop.signal,
    } as const;
    try {
      const { status } = await client.send(endpoint as URL, call);
      if (FORGOTTEN.has(status)) return gone();
      if (status >= 300) throw new SlipwayError('upstream-unavailable', `The server answered HTTP ${status}.`);
    } catch (error) {
      if (isRequest(message)) peer.fail(message.id, toSlipwayError(error, 'upstream-unavailable'));
    }
  };
  const peer = new Peer({ ...handlers, send });
  const close = (): void => {
    stop.abort();
    client.close();
  };
  try {
    endpoint = await openStream({ url, client, signal: stop.signal, peer, gone });
  } catch (cause) {
    close();
    throw cause instanceof NotDelivered ? cause : new NotDelivered('The event stream could not be opened.', cause);
  }
  return {
    get inFlight() {
      return peer.inFlight;
    },
    request: (method, params, options) => peer.request(method, params, options),
    notify: (method, params) => peer.notify(method, params),
    close: () => {
      peer.close(new SlipwayError('upstream-unavailable', 'The connection was closed.'));
      close();
    },
  };
}

interface Opening {
  url: URL;
  client: Http;
  signal: AbortSignal;
  peer: Peer;
  /** Called when the stream ends. */
  gone: () => void;
}

/** @returns the address to post to */
function openStream({ url, client, signal, peer, gone }: Opening): Promise<URL> {
  const timeout = AbortSignal.any([signal, AbortSignal.timeout(ENDPOINT_TIMEOUT)]);
  return new Promise((resolve, reject) => {
    timeout.addEventListener('abort', () => reject(new Error('no endpoint event')), { once: true });
    const parser = new SseParser(({ event, data }) => {
      if (event === 'endpoint') {
        const endpoint = new URL(data, url);
        // SSRF: the stream must not send our messages to another host.
        if (endpoint.origin === url.origin) resolve(endpoint);
        else reject(new Error('endpoint of another origin'));
      } else if (event === 'message') {
        for (const message of messagesIn(parseExact(data))) peer.receive(message);
      }
    }, MAX_MESSAGE_BYTES);
    const reader = {
      onHead: ({ status }: Head) => {
        if (status !== 200) throw new Error(`HTTP ${status}`);
      },
      onData: (chunk: Buffer) => parser.push(chunk),
    };
    void client
      .send(url, { method: 'GET', headers: { Accept: 'text/event-stream' }, signal }, reader)
      .catch(reject)
      .finally(gone);
  });
}
