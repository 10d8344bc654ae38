/**
 * A forge: a real HTTP server that keeps comments, statuses and requests as the public API docs of GitHub, GitLab and Gitea have
 * it, in pages, and remembers what it was asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
}

interface Comment {
  readonly id: number;
  body: string;
}

type Answer = readonly [status: number, body: unknown, headers?: Record<string, string>];

/** Path of the API, of comments and of a comment, of statuses and of requests. */
const SHAPES = {
  github: {
    comments: /^\/api\/v3\/repos\/acme\/mcp\/issues\/(\d+)\/comments$/,
    comment: /^\/api\/v3\/repos\/acme\/mcp\/issues\/comments\/(\d+)$/,
    statuses: /^\/api\/v3\/repos\/acme\/mcp\/statuses\/([0-9a-f]{40})$/,
    requests: /^\/api\/v3\/repos\/acme\/mcp\/pulls$/,
    edit: 'PATCH',
    paged: true,
  },
  gitlab: {
    comments: /^\/api\/v4\/projects\/acme%2Fmcp\/merge_requests\/(\d+)\/notes$/,
    comment: /^\/api\/v4\/projects\/acme%2Fmcp\/merge_requests\/\d+\/notes\/(\d+)$/,
    statuses: /^\/api\/v4\/projects\/acme%2Fmcp\/statuses\/([0-9a-f]{40})$/,
    requests: /^\/api\/v4\/projects\/acme%2Fmcp\/merge_requests$/,
    edit: 'PUT',
    paged: true,
  },
  gitea: {
    comments: /^\/api\/v1\/repos\/acme\/mcp\/issues\/(\d+)\/comments$/,
    comment: /^\/api\/v1\/repos\/acme\/mcp\/issues\/comments\/(\d+)$/,
    statuses: /^\/api\/v1\/repos\/acme\/mcp\/statuses\/([0-9a-f]{40})$/,
    requests: /^\/api\/v1\/repos\/acme\/mcp\/pulls$/,
    edit: 'PATCH',
    paged: false,
  },
} as const;

export type TestForgeName = keyof typeof SHAPES;
export const TOKEN = 'forge-token-5e0c';

export class TestForge implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #listeners = new Set<() => void>();
  readonly #shape: (typeof SHAPES)[TestForgeName];
  readonly asked: Asked[] = [];
  readonly comments: Comment[] = [];
  /** Commit and what was said of it, in order. */
  readonly statuses: { readonly commit: string; readonly [field: string]: unknown }[] = [];
  readonly opened: Record<string, unknown>[] = [];
  /** Status of the next answers; what is left of it goes on to say no. */
  failures: number[] = [];
  /** Answers wait for it. */
  held: Promise<void> | undefined;

  private constructor(name: TestForgeName) {
    this.#shape = SHAPES[name];
  }

  static async start(name: TestForgeName): Promise<TestForge> {
    const forge = new TestForge(name);
    await new Promise<void>((resolve) => forge.#server.listen(0, '127.0.0.1', resolve));
    return forge;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once `condition` holds after a request. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#listeners.add(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const { method = '', headers } = request;
    const body = method === 'GET' ? {} : ((await json(request).catch(() => ({}))) as Record<string, unknown>);
    // GitLab's client sends what is set besides in the query.
    const said = { ...Object.fromEntries(url.searchParams), ...body };
    this.asked.push({ method, path: url.pathname, authorization: headers.authorization, body: said });
    this.#ring();
    await this.held;
    const [status, answer, more] = this.#answer(method, url, said, headers.authorization);
    response.writeHead(status, { 'content-type': 'application/json', ...more }).end(JSON.stringify(answer));
    this.#ring();
  }

  #ring(): void {
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  #answer(method: string, url: URL, body: Record<string, unknown>, authorization: string | undefined): Answer {
    const failure = this.failures.shift();
    if (failure !== undefined) return [failure, { message: `no, ${failure}` }];
    if (!/^(bearer|token) forge-token-5e0c$/i.test(authorization ?? '')) return [401, { message: 'Bad credentials' }];
    const { pathname } = url;
    const { comments, comment, statuses, requests, edit } = this.#shape;
    if (comments.test(pathname)) return method === 'GET' ? this.#page(url) : this.#add(String(body['body']));
    const id = comment.exec(pathname)?.[1];
    if (id !== undefined && method === edit) return this.#edit(Number(id), String(body['body']));
    const commit = statuses.exec(pathname)?.[1];
    if (commit !== undefined) {
      this.statuses.push({ commit, ...body });
      return [201, {}];
    }
    if (!requests.test(pathname) || method !== 'POST') return [404, { message: 'Not Found' }];
    this.opened.push(body);
    return [201, { html_url: `${this.url}/acme/mcp/pull/9`, web_url: `${this.url}/acme/mcp/-/merge_requests/9` }];
  }

  #page({ searchParams, pathname }: URL): Answer {
    if (!this.#shape.paged) return [200, this.comments.map(shown)];
    const [size, page] = [Number(searchParams.get('per_page') ?? 20), Number(searchParams.get('page') ?? 1)];
    const slice = this.comments.slice((page - 1) * size, page * size).map(shown);
    const next = page * size < this.comments.length;
    const link = `<${this.url}${pathname}?per_page=${size}&page=${page + 1}>; rel="next"`;
    return [200, slice, { 'x-next-page': next ? String(page + 1) : '', ...(next ? { link } : {}) }];
  }

  #add(body: string): Answer {
    const comment = { id: this.comments.length + 1, body };
    this.comments.push(comment);
    return [201, shown(comment)];
  }

  #edit(id: number, body: string): Answer {
    const comment = this.comments.find((one) => one.id === id);
    if (!comment) return [404, { message: 'Not Found' }];
    comment.body = body;
    return [200, shown(comment)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const shown = ({ id, body }: Comment) => ({ id, body, html_url: `http://forge.example/comment-${id}` });
