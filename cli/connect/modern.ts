/** MCP 2026-07-28: each request is a POST of its own, with headers that repeat what it says. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isNotification, isRequest, type Id, type RpcMessage, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { mirrorHeaders, mirrorsOf, type Mirror } from '../../schemas/mirror.ts';
import { headersFor, MODERN_RPC } from '../../schemas/modern.ts';
import { exchange, patiently, unanswered, type Answer, type Way } from './wire.ts';

/** Pauses before listening again (ms), and pages of tools that are asked for at most. */
const PAUSE = 500;
const PAUSE_MAX = 15_000;
const MAX_PAGES = 100;

/** The notice of each list that a client can listen for. */
const NOTICES: Readonly<Record<string, string>> = {
  toolsListChanged: 'notifications/tools/list_changed',
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
};
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';

export class ModernRoute {
  readonly #way: Way;
  readonly #running = new Map<Id, AbortController>();
  /** Which arguments of a tool are repeated in headers, as it was last listed. */
  readonly #mirrors = new Map<string, readonly Mirror[]>();

  constructor(way: Way) {
    this.#way = way;
  }

  /** Whether it cancels something that is running here. */
  isAbout(message: RpcMessage): boolean {
    return isNotification(message) && this.#running.has(message.params?.['requestId'] as Id);
  }

  async send(message: RpcMessage): Promise<void> {
    if (!isRequest(message)) {
      // Over HTTP, closing the response is how a request is cancelled.
      if (isNotification(message) && message.method === 'notifications/cancelled')
        this.#running.get(message.params?.['requestId'] as Id)?.abort();
      return;
    }
    const cancelled = new AbortController();
    this.#running.set(message.id, cancelled);
    const signal = AbortSignal.any([cancelled.signal, this.#way.closed]);
    try {
      if (message.method === 'subscriptions/listen') await this.#listen(message, signal);
      else await this.#ask(message, signal);
    } catch (error) {
      if (!cancelled.signal.aborted) throw error;
    } finally {
      this.#running.delete(message.id);
    }
  }

  async #ask(request: RpcRequest, signal: AbortSignal): Promise<void> {
    let stale = false;
    let answered = false;
    const take = (message: RpcMessage, again: boolean): void => {
      if (!('method' in message)) {
        if (!again && message.error?.code === MODERN_RPC.headerMismatch && request.method === 'tools/call')
          return void (stale = true);
        answered = true;
        if (request.method === 'tools/list') this.#learn(message.result);
        return this.#way.tell({ ...message, id: request.id });
      }
      this.#way.tell(message);
    };
    let answer = await this.#post(request, signal, (message) => take(message, false));
    if (stale) {
      await this.#relearn(request, signal);
      answer = await this.#post(request, signal, (message) => take(message, true));
    }
    if (!answered && !signal.aborted) throw unanswered(request, answer);
  }

  /** Which arguments a tool wants repeated stands in its definition: a client on stdio need not know. */
  async #relearn({ params }: RpcRequest, signal: AbortSignal): Promise<void> {
    const { _meta } = (params ?? {}) as { _meta?: unknown };
    let cursor: unknown;
    for (let page = 0; page < MAX_PAGES; page++) {
      const asked: Record<string, unknown> = { _meta, ...(cursor === undefined ? {} : { cursor }) };
      const request: RpcRequest = {
        jsonrpc: '2.0',
        id: `slipway-connect-${page}`,
        method: 'tools/list',
        params: asked,
      };
      cursor = undefined;
      await this.#post(request, signal, (message) => {
        if ('method' in message) return;
        this.#learn(message.result);
        cursor = (message.result as { nextCursor?: unknown } | undefined)?.nextCursor;
      });
      if (cursor === undefined) return;
    }
  }

  #learn(result: unknown): void {
    const { tools } = (result ?? {}) as { tools?: unknown };
    if (!Array.isArray(tools)) return;
    for (const tool of tools as Record<string, unknown>[]) {
      const mirrors = mirrorsOf(tool['inputSchema']);
      if (typeof mirrors !== 'string') this.#mirrors.set(String(tool['name']), mirrors);
    }
  }

  #post(request: RpcRequest, signal: AbortSignal, onMessage: (message: RpcMessage) => void): Promise<Answer> {
    const { method, params } = request;
    const mirrors = method === 'tools/call' ? this.#mirrors.get(String(params?.['name'])) : undefined;
    const headers = {
      ...headersFor(method, params),
      ...(mirrors ? mirrorHeaders(mirrors, params?.['arguments']) : {}),
      Accept: 'application/json, text/event-stream',
      'Content-Type': 'application/json',
    };
    const body = JSON.stringify(request);
    const attempt = () => exchange(this.#way.wire, { method: 'POST', headers, body, signal }, onMessage);
    return patiently(attempt, method !== 'tools/call', signal);
  }

  /** Goes on listening when the gateway is back; what may have been missed meanwhile is said to have changed. */
  async #listen(request: RpcRequest, signal: AbortSignal): Promise<void> {
    let acknowledged = false;
    for (let pause = PAUSE; ; pause = Math.min(pause * 2, PAUSE_MAX)) {
      let ended = false;
      const answer = await this.#post(request, signal, (message) => {
        if ('method' in message && message.method === ACKNOWLEDGED) {
          pause = PAUSE;
          if (acknowledged) return this.#missed(request, message);
          acknowledged = true;
        }
        if (!('method' in message)) ended = true;
        this.#way.tell('method' in message ? message : { ...message, id: request.id });
      });
      if (ended || signal.aborted) return;
      if (answer.status >= 300) throw unanswered(request, answer);
      await sleep(pause * (0.5 + Math.random()), undefined, { signal });
    }
  }

  #missed({ params }: RpcRequest, acknowledgement: RpcMessage): void {
    const { notifications } = (params ?? {}) as { notifications?: Record<string, unknown> };
    const { _meta } = (('params' in acknowledgement && acknowledgement.params) || {}) as { _meta?: unknown };
    for (const [field, method] of Object.entries(NOTICES))
      if (notifications?.[field] === true) this.#way.tell({ jsonrpc: '2.0', method, params: { _meta } });
  }
}
