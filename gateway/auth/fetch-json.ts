/** JSON from elsewhere, had with care: where it comes from is said by config, or by whoever the config names. */
import { Body } from '../upstream/http1/body.ts';
import { HttpClient } from '../upstream/http1/client.ts';

const MAX_BYTES = 512 * 1024;
const TIMEOUT = 10_000;

/**
 * SSRF: private addresses are refused unless they are meant, the address that was checked is the one that is dialled
 * (`upstream/reach.ts`), redirects are not followed, and the answer is bounded in time and size.
 * @param publicOnly whether private addresses are out of bounds
 * @throws Error that says why in words of our own, never with anything the other side sent
 */
export async function fetchJson(url: URL, publicOnly: boolean): Promise<unknown> {
  if (url.protocol !== 'https:' && (publicOnly || url.protocol !== 'http:'))
    throw new Error(`${url.origin} is not https`);
  const client = new HttpClient(url, publicOnly);
  try {
    const body = new Body(MAX_BYTES);
    const head = await client.send(
      url,
      { method: 'GET', headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(TIMEOUT) },
      body,
    );
    if (head.status !== 200) throw new Error(`${url.href} answered ${head.status}`);
    return parse(body.bytes.toString('utf8'), url);
  } finally {
    client.close();
  }
}

function parse(text: string, url: URL): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`${url.href} is not JSON`);
  }
}
