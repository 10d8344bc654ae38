/** A real authorization server in front of remote MCP servers, and a person with a browser who signs in there. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider, type ClientMetadata, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';

export interface ProviderOptions {
  readonly clients?: ClientMetadata[];
  /** Seconds that an access token is good for. */
  readonly accessTokenTtl?: number;
  /** Called with every request; what it returns is answered instead. */
  readonly intercept?: (path: string) => { status: number; body: unknown } | undefined;
}

export class ConsentProvider implements AsyncDisposable {
  readonly #server: Server;
  readonly provider: Provider;
  readonly url: string;
  readonly #registered: string[] = [];
  /** Path, and the body of a POST as it came. */
  readonly requests: { readonly path: string; body: URLSearchParams }[] = [];
  /** Asked about each answer before it is sent. */
  hold: ((path: string, body: URLSearchParams) => Promise<void>) | undefined;

  private constructor(server: Server, provider: Provider, url: string) {
    this.#server = server;
    this.provider = provider;
    this.url = url;
  }

  static async start({
    clients = [],
    accessTokenTtl = 3600,
    intercept,
  }: ProviderOptions = {}): Promise<ConsentProvider> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(url, configuration(clients, accessTokenTtl));
    exchange(provider);
    const made = new ConsentProvider(server, provider, url);
    provider.on('registration_create.success', (_, { clientId }) => void made.#registered.push(clientId));
    provider.use(async (ctx, next) => {
      await next();
      await made.hold?.(
        ctx.path,
        made.requests.findLast(({ path }) => path === ctx.path)?.body ?? new URLSearchParams(),
      );
    });
    const serve = provider.callback();
    server.on('request', (request, response) => {
      const path = (request.url ?? '').split('?')[0] ?? '';
      const instead = intercept?.(path);
      made.#note(path, request);
      if (!instead) return void serve(request, response);
      response.writeHead(instead.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(instead.body));
    });
    return made;
  }

  /** How often a path was asked for, with a grant type if one is given. */
  count(path: string, grant?: string): number {
    return this.requests.filter(
      (each) => each.path === path && (grant === undefined || each.body.get('grant_type') === grant),
    ).length;
  }

  /** All consents that an account gave are taken back, with what came of them. */
  async revoke(account: string): Promise<void> {
    for (const [, grant] of grants) if (grant.accountId === account) await grant.destroy();
  }

  /** It knows nobody any more who has registered on the spot. */
  async forgetClients(): Promise<void> {
    const { adapter } = this.provider.Client as unknown as { adapter: { destroy(id: string): Promise<void> } };
    for (const id of this.#registered.splice(0)) await adapter.destroy(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #note(path: string, request: IncomingMessage): void {
    const note = { path, body: new URLSearchParams() };
    this.requests.push(note);
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      note.body = new URLSearchParams(text);
    });
  }
}

const grants = new Map<string, { accountId?: string | undefined; destroy(): Promise<void> }>();

function configuration(clients: ClientMetadata[], accessTokenTtl: number): Configuration {
  return {
    clients,
    scopes: ['offline_access', 'mcp:read', 'mcp:write'],
    cookies: { keys: ['test'] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: (_: KoaContextWithOIDC, client) => client.grantTypeAllowed('refresh_token'),
    ttl: { AccessToken: accessTokenTtl, ClientCredentials: accessTokenTtl },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'mcp:read mcp:write',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: accessTokenTtl,
        }),
      },
    },
  };
}

/** Token exchange is no part of the provider: here it is as small as RFC 8693 allows. */
function exchange(provider: Provider): void {
  const parameters = ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'resource', 'scope'];
  provider.on('grant.saved', (grant) => void grants.set(grant.jti ?? '', grant));
  provider.registerGrantType(
    'urn:ietf:params:oauth:grant-type:token-exchange',
    async (ctx) => {
      const { subject_token: subject = '' } = ctx.oidc.params as { subject_token?: string };
      const { sub = '' } = JSON.parse(Buffer.from(subject.split('.')[1] ?? '', 'base64url').toString()) as {
        sub?: string;
      };
      const client = ctx.oidc.client;
      if (!client) throw new Error('no client');
      const token = new provider.AccessToken({ accountId: sub, client, gty: 'exchange' } as never);
      token.scope = 'mcp:read';
      const resource = String((ctx.oidc.params as { resource?: string }).resource);
      token.resourceServer = new provider.ResourceServer(resource, {
        scope: 'mcp:read',
        audience: resource,
        accessTokenFormat: 'jwt',
      } as never);
      ctx.body = {
        access_token: await token.save(),
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: 3600,
      };
    },
    parameters,
  );
}

/** Somebody's browser: keeps cookies, follows redirects, fills in forms. */
export class Browser {
  readonly #cookies = new Map<string, string>();
  readonly #stay: boolean;

  /** @param stay whether to come back at all: if not, the page is the one that would be opened then, unopened */
  constructor({ stay = false } = {}) {
    this.#stay = stay;
  }

  /** Opens an address, signs in where it is asked to, and consents. @returns where it ends, and what stands there */
  async consent(url: string, account: string, refuse = false): Promise<Page> {
    let page = await this.open(url);
    for (let step = 0; step < 5 && page.url.includes('/interaction/'); step++) {
      if (refuse) return this.open(link(page, /href="([^"]+\/abort)"/));
      const action = link(page, /<form[^>]*action="([^"]+)"/);
      const fields = [...page.text.matchAll(/<input[^>]*type="hidden"[^>]*name="(\w+)"[^>]*value="(\w*)"/g)];
      const form = new URLSearchParams(fields.map(([, name = '', value = '']): [string, string] => [name, value]));
      if (page.text.includes('name="login"')) form.set('login', account);
      if (page.text.includes('name="password"')) form.set('password', 'any');
      page = await this.open(action, form);
    }
    return page;
  }

  async open(url: string, form?: URLSearchParams): Promise<Page> {
    let at = new URL(url);
    let body = form;
    for (let hop = 0; hop < 20; hop++) {
      const response = await fetch(at, {
        method: body ? 'POST' : 'GET',
        redirect: 'manual',
        headers: { Cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
        ...(body ? { body } : {}),
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        this.#cookies.set(name, value);
      }
      const location = response.headers.get('location');
      if (location === null)
        return { url: at.href, status: response.status, headers: response.headers, text: await response.text() };
      await response.body?.cancel();
      at = new URL(location, at);
      if (this.#stay && at.pathname.endsWith('/oauth/callback'))
        return { url: at.href, status: response.status, headers: response.headers, text: '' };
      body = undefined;
    }
    throw new Error(`${url} leads nowhere`);
  }
}

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

function link({ url, text }: Page, pattern: RegExp): string {
  const [, found] = pattern.exec(text) ?? [];
  if (found === undefined) throw new Error(`${url} has no ${pattern}:\n${text}`);
  return new URL(found, url).href;
}
