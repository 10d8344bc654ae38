/** An identity provider whose every word a test decides: for what an honest one never says. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
} from 'jose';

export interface Signer {
  readonly kid: string;
  readonly key: CryptoKey;
  readonly jwk: JWK;
}

export async function signer(kid: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { kid, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

export class Issuer implements AsyncDisposable {
  readonly #server = createServer((request, response) => {
    const path = request.url ?? '';
    this.asked.push(path);
    (this.answers[path] ?? notFound)(response);
  });
  /** The paths that were asked for. */
  readonly asked: string[] = [];
  /** What it says, by path. */
  readonly answers: Record<string, (response: ServerResponse) => void> = {};
  keys: Signer[] = [];
  url = '';

  static async make(path = ''): Promise<Issuer> {
    const issuer = new Issuer();
    issuer.keys = [await signer('one')];
    await issuer.#listen(0);
    const { origin } = new URL(issuer.url);
    issuer.url += path;
    const metadata = (): object => ({ issuer: issuer.url, jwks_uri: `${origin}/keys` });
    issuer.answers[`${path}/.well-known/openid-configuration`] = (response) => json(response, metadata());
    issuer.answers['/keys'] = (response) => json(response, { keys: issuer.keys.map(({ jwk }) => jwk) });
    return issuer;
  }

  /** A token that is fine but for what is said here. @param claims for {@link Issuer.url} unless they say otherwise */
  token(
    claims: JWTPayload,
    header: Readonly<Record<string, unknown>> = {},
    by = this.keys[0] as Signer,
  ): Promise<string> {
    const payload = { iss: this.url, sub: 'ada', exp: Math.floor(Date.now() / 1000) + 600, ...claims };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', kid: by.kid, typ: 'at+jwt', ...header } as JWTHeaderParameters)
      .sign(by.key);
  }

  /** Questions for its keys so far. */
  get questions(): number {
    return this.asked.filter((path) => path === '/keys').length;
  }

  /** Nobody answers any more. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }

  /** It is back, where it was. */
  async reopen(): Promise<void> {
    await this.#listen(Number(new URL(this.url).port));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.close();
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((listening) => this.#server.listen(port, '127.0.0.1', listening));
    this.url ||= `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
}

export function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

export function redirect(response: ServerResponse, to: string): void {
  response.writeHead(302, { Location: to }).end();
}

const notFound = (response: ServerResponse): void => void response.writeHead(404).end();
