/** HTTP towards a server that wants to know who comes: every request carries credentials, and a refusal renews them once. */
import type { Head, Reader } from '../http1/response.ts';
import type { Http } from '../http1/client.ts';
import type { HttpCall } from '../http1/request.ts';
import { challengeOf, refusedFor, type Authorization, type Challenge, type Credentials } from './authorization.ts';

export class AuthorizedHttp implements Http {
  readonly #http: Http;
  readonly #authorization: Authorization;
  #last: Credentials = { headers: {} };

  constructor(http: Http, authorization: Authorization) {
    this.#http = http;
    this.#authorization = authorization;
  }

  /** @throws what an {@link Http} throws, and what there is to say where nobody lets us in */
  async send(url: URL, call: HttpCall, reader: Reader = {}): Promise<Head> {
    // A goodbye goes with what was used before: it is not worth a new token, which would come too late to be kept.
    if (call.method === 'DELETE') return this.#http.send(url, withHeaders(call, this.#last), reader);
    for (let last = false; ; last = true) {
      const credentials = await this.#authorization.credentials();
      this.#last = credentials;
      const gate = new Gate(reader);
      const head = await this.#http.send(url, withHeaders(call, credentials), gate);
      if (!gate.challenge) return head;
      await this.#authorization.refused(gate.challenge, credentials, last);
      if (last) throw refusedFor(head.status);
    }
  }

  close(): void {
    this.#http.close();
  }
}

const withHeaders = (call: HttpCall, { headers }: Credentials): HttpCall => ({
  ...call,
  headers: { ...call.headers, ...headers },
});

/** Keeps a refusal, in whatever words, from being taken for the answer. */
class Gate implements Reader {
  readonly #reader: Reader;
  challenge: Challenge | undefined;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  onHead(head: Head): void {
    this.challenge = challengeOf(head);
    if (!this.challenge) this.#reader.onHead?.(head);
  }

  onData(chunk: Buffer): void {
    if (!this.challenge) this.#reader.onData?.(chunk);
  }

  onEnd(): void {
    if (!this.challenge) this.#reader.onEnd?.();
  }
}
