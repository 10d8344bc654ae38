/** `fetch` for addresses that strangers name: the same guard as for servers, no redirects, bounded in size and time. */
import { SlipwayError } from '../../../schemas/errors.ts';
import { Body } from '../http1/body.ts';
import { HttpClient } from '../http1/client.ts';
import type { Head } from '../http1/response.ts';

/** The largest document that is read (bytes), and how long one may take (ms). */
const MAX_BYTES = 1024 * 1024;
const TIMEOUT = 15_000;

export interface FetchOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export type Fetch = (url: string, options?: FetchOptions) => Promise<Response>;

/**
 * SSRF: whoever runs a server, or an authorization server, names addresses that this gateway then asks. A redirect is
 * an answer like any other, and no good one: the guard would have seen only the first address.
 * @param publicOnly whether private addresses are out of bounds
 */
export function guardedFetch(publicOnly: boolean): Fetch {
  return async (address, { method = 'GET', headers = {}, body, signal } = {}) => {
    if (!URL.canParse(address)) throw new SlipwayError('authorization-failed', `${address.slice(0, 200)} is no URL.`);
    const url = new URL(address);
    if (url.protocol !== 'https:' && (publicOnly || url.protocol !== 'http:'))
      throw new SlipwayError('authorization-failed', `${url.origin} is not https.`);
    const client = new HttpClient(url, publicOnly);
    const timeout = AbortSignal.timeout(TIMEOUT);
    const answer = new Body(MAX_BYTES);
    try {
      const call = {
        method: method === 'POST' ? 'POST' : 'GET',
        headers,
        ...(body === undefined || body === null ? {} : { body: String(body) }),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      } as const;
      const head = await client.send(url, call, answer);
      return responseOf(head, answer.bytes);
    } catch (cause) {
      // An answer that is none (a status of 999, a header that no header can be) is nothing unforeseen from a stranger.
      if (cause instanceof RangeError || cause instanceof TypeError)
        throw new SlipwayError('authorization-failed', `${url.origin} answers what cannot be read.`, { cause });
      if (!timeout.aborted && signal?.aborted !== true) throw cause;
      throw new SlipwayError('authorization-failed', `${url.origin} does not answer in time.`, { cause });
    } finally {
      client.close();
    }
  };
}

/** What `fetch` would have given. @throws RangeError, TypeError for a status or header that none can be */
export function responseOf({ status, headers }: Head, body: Buffer): Response {
  // These may have no body, not even an empty one.
  return new Response([204, 205, 304].includes(status) ? null : new Uint8Array(body), { status, headers });
}
