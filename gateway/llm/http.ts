/** `fetch` for one provider of models, as the AI SDK wants it: the guard of servers, no redirects, bounded in size. */
import { SlipwayError } from '../../schemas/errors.ts';
import { responseOf } from '../upstream/auth/guarded-fetch.ts';
import { Body } from '../upstream/http1/body.ts';
import { HttpClient } from '../upstream/http1/client.ts';

/** The longest answer that is read (bytes): texts, not files. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Where an SDK puts the key that it was given. */
const KEY_HEADERS = ['authorization', 'x-api-key', 'x-goog-api-key', 'api-key'] as const;

export interface Door {
  /** Absent where none is needed: then none is sent. */
  readonly apiKey: string | undefined;
  /** What the config says, in lower case. It goes before what the SDK says. */
  readonly headers: Readonly<Record<string, string>>;
}

export class ModelHttp implements Disposable {
  readonly #publicOnly: boolean;
  readonly #origin: string;
  #client: HttpClient | undefined;

  /** @param publicOnly whether private addresses are out of bounds */
  constructor(url: string, publicOnly: boolean) {
    this.#publicOnly = publicOnly;
    this.#origin = new URL(url).origin;
  }

  /** How long it may take is a matter of the signal. It throws NotDelivered where nobody answers, or nobody may be asked. */
  fetchWith(door: Door): typeof fetch {
    return (input, init = {}) => this.#fetch(new URL(input instanceof Request ? input.url : input), init, door);
  }

  [Symbol.dispose](): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #fetch(url: URL, { method, headers, body, signal }: RequestInit, door: Door): Promise<Response> {
    // Token theft: a library that follows a link in an answer would carry the key to wherever it leads.
    if (url.origin !== this.#origin)
      throw new SlipwayError('upstream-unavailable', `${url.origin} is not its address.`);
    const isKnown = door.apiKey !== undefined || Object.keys(door.headers).length > 0;
    if (url.protocol !== 'https:' && this.#publicOnly && isKnown)
      throw new SlipwayError('upstream-unavailable', `${url.origin} is not https: it is sent no key.`);
    const call = {
      method: method === 'POST' ? 'POST' : 'GET',
      headers: headersFor(new Headers(headers), door),
      ...(body === undefined || body === null ? {} : { body: String(body) }),
      signal: signal ?? undefined,
    } as const;
    this.#client ??= new HttpClient(url, this.#publicOnly);
    const answer = new Body(MAX_BYTES);
    const head = await this.#client.send(url, call, answer).catch(withoutCause);
    return responseOf(head, answer.bytes);
  }
}

/** By its cause an SDK would know that nobody answered, and try for six seconds more; the breaker knows better. */
function withoutCause(error: unknown): never {
  throw error instanceof SlipwayError ? new SlipwayError(error.code, error.message) : error;
}

function headersFor(sdk: Headers, { apiKey, headers }: Door): Record<string, string> {
  if (apiKey === undefined) for (const name of KEY_HEADERS) sdk.delete(name);
  return { ...Object.fromEntries(sdk), ...headers };
}
