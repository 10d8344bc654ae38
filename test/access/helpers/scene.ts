/** A gateway in front of a server that lets in only who has a token, and the authorization server that gives them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { expect, onTestFinished } from 'vitest';
import type { Gateway, GatewayOptions } from '../../../gateway/index.ts';
import type { Log } from '../../../schemas/log.ts';
import type { UpstreamAuth } from '../../../schemas/upstream-auth.ts';
import { start, type Wish } from '../../gateway/helpers/gateway.ts';
import { Browser, ConsentProvider, type ProviderOptions } from './consent-provider.ts';
import { ProtectedServer, type ProtectedOptions } from './protected-server.ts';

export type OAuth = Extract<UpstreamAuth, { type: 'oauth' }>;
export type Answer = { content: { text: string }[]; isError?: boolean; _meta?: Record<string, unknown> };

export class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly dir = mkdtempSync(join(tmpdir(), 'slipway-vault-'));
  readonly vault = { dir: this.dir, key: new Uint8Array(32).fill(9) };
  readonly log: string[] = [];
  readonly provider: ConsentProvider;
  readonly server: ProtectedServer;
  /** Those of the last gateway's snapshot. */
  servers: NonNullable<Wish['servers']> = {};
  #gateway: Gateway | undefined;

  private constructor(provider: ConsentProvider, server: ProtectedServer) {
    this.provider = this.#stack.use(provider);
    this.server = this.#stack.use(server);
    this.#stack.defer(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  /** Ends with the test. */
  static async set(options: ProviderOptions & ProtectedOptions = {}): Promise<Scene> {
    const provider = await ConsentProvider.start(options);
    const scene = new Scene(provider, await ProtectedServer.start(provider.url, options));
    onTestFinished(() => scene[Symbol.asyncDispose]());
    return scene;
  }

  /** A gateway in front of the server, in the place of the one before. Beside it stands one that is down. */
  async up(oauth: Partial<OAuth> = {}, wish: Wish = {}, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    return this.upWith({ type: 'oauth', perPrincipal: true, headers: [], ...oauth }, wish, options);
  }

  async upWith(auth: UpstreamAuth, wish: Wish = {}, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    await this.#gateway?.[Symbol.asyncDispose]();
    const log: Log = (level, message, fields) => void this.log.push(JSON.stringify([level, message, fields]));
    this.servers = {
      plain: { endpoints: [{ id: 'plain', transport: 'http', address: 'http://127.0.0.1:1/mcp' }] },
      docs: { endpoints: [{ id: 'docs', transport: 'http', address: this.server.url }], auth },
    };
    this.#gateway = await start({ servers: this.servers, ...wish }, { log, vault: this.vault, ...options });
    return this.#gateway;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway?.[Symbol.asyncDispose]();
    await this.#stack[Symbol.asyncDispose]();
  }
}

export const call = async (caller: Client, name: string): Promise<Answer> =>
  (await caller.callTool({ name, arguments: {} })) as Answer;

/** The address at the end of an answer that asks for consent. */
export function urlIn({ content }: Answer): string {
  const [, url] = /(https?:\/\/\S+)$/.exec(content[0]?.text ?? '') ?? [];
  if (url === undefined) throw new Error(`no address in ${JSON.stringify(content)}`);
  return url;
}

/** One call, one consent. */
export async function consented(caller: Client, account: string): Promise<void> {
  const page = await new Browser().consent(urlIn(await call(caller, 'whoami')), account);
  expect(page.text).toContain('Consent was given');
}
