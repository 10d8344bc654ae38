/** A remote server wants to know who comes: a person consents once, and the calls of their agents just work. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { ElicitationCompleteNotificationSchema, McpError } from '@modelcontextprotocol/sdk/types.js';
import { expect, onTestFinished, test } from 'vitest';
import type { Gateway, GatewayOptions } from '../../gateway/index.ts';
import type { Log } from '../../schemas/log.ts';
import type { UpstreamAuth } from '../../schemas/upstream-auth.ts';
import { client, principal, start, type Wish } from '../gateway/helpers/gateway.ts';
import { Browser, ConsentProvider, type ProviderOptions } from './helpers/consent-provider.ts';
import { lastToken, ProtectedServer, type ProtectedOptions } from './helpers/protected-server.ts';

type OAuth = Extract<UpstreamAuth, { type: 'oauth' }>;
type Answer = { content: { text: string }[]; isError?: boolean; _meta?: Record<string, unknown> };

const TOKENS = [principal('ada', 'ada-token'), principal('bob', 'bob-token')];

class Scene implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly dir = mkdtempSync(join(tmpdir(), 'slipway-vault-'));
  readonly log: string[] = [];
  readonly provider: ConsentProvider;
  readonly server: ProtectedServer;
  #gateway: Gateway | undefined;

  private constructor(provider: ConsentProvider, server: ProtectedServer) {
    this.provider = this.#stack.use(provider);
    this.server = this.#stack.use(server);
    this.#stack.defer(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  static async set(options: ProviderOptions & ProtectedOptions = {}): Promise<Scene> {
    const provider = await ConsentProvider.start(options);
    const scene = new Scene(provider, await ProtectedServer.start(provider.url, options));
    onTestFinished(() => scene[Symbol.asyncDispose]());
    return scene;
  }

  /** A gateway in front of the server, in the place of the one before. */
  async up(auth: Partial<OAuth> = {}, wish: Wish = {}, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    await this.#gateway?.[Symbol.asyncDispose]();
    const log: Log = (level, message, fields) => void this.log.push(JSON.stringify([level, message, fields]));
    this.#gateway = await start(
      {
        servers: {
          plain: { endpoints: [{ id: 'plain', transport: 'http', address: 'http://127.0.0.1:1/mcp' }] },
          docs: {
            endpoints: [{ id: 'docs', transport: 'http', address: this.server.url }],
            auth: { type: 'oauth', perPrincipal: true, headers: [], ...auth },
          },
        },
        ...wish,
      },
      { log, vault: { dir: this.dir, key: new Uint8Array(32).fill(9) }, ...options },
    );
    return this.#gateway;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway?.[Symbol.asyncDispose]();
    await this.#stack[Symbol.asyncDispose]();
  }
}

const call = async (caller: Client, name: string): Promise<Answer> =>
  (await caller.callTool({ name, arguments: {} })) as Answer;

function urlIn({ content }: Answer): string {
  const [, url] = /(https?:\/\/\S+)$/.exec(content[0]?.text ?? '') ?? [];
  if (url === undefined) throw new Error(`no address in ${JSON.stringify(content)}`);
  return url;
}

/** One call, one consent. */
async function consented(caller: Client, account: string): Promise<void> {
  const page = await new Browser().consent(urlIn(await call(caller, 'whoami')), account);
  expect(page.text).toContain('Consent was given');
}

test('call, consent, call again', async () => {
  const scene = await Scene.set();
  const { url } = await scene.up();
  await using ada = await client(`${url}/servers/docs/mcp`);
  const first = await call(ada, 'whoami');
  expect(first.isError).toBe(true);
  const link = new URL(urlIn(first));
  expect(link.origin).toBe(scene.provider.url);
  expect(Object.fromEntries(link.searchParams)).toMatchObject({
    response_type: 'code',
    code_challenge_method: 'S256',
    resource: scene.server.url,
    redirect_uri: `${url}/oauth/callback`,
    scope: 'mcp:read offline_access',
  });
  const page = await new Browser().consent(link.href, 'ada');
  expect(page).toMatchObject({ status: 200, url: expect.stringContaining(`${url}/oauth/callback?`) });
  expect(page.text).toContain('<b>docs</b>, for <b>local</b>');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page.headers.get('referrer-policy')).toBe('no-referrer');
  expect(await call(ada, 'whoami')).toEqual({ content: [{ type: 'text', text: 'whoami: ada' }] });
});
