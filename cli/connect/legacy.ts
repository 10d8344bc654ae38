/** MCP up to 2025-11-25: one session for the client, and a stream on which the gateway speaks unasked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isNotification, isRequest, type RpcMessage, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { exchange, patiently, unanswered, type Answer, type Way } from './wire.ts';

/** Pauses before a stream is taken up again, and how long saying goodbye may take (ms). */
const PAUSE = 500;
const PAUSE_MAX = 15_000;
const GOODBYE_TIMEOUT = 1_000;
/** A stream that was open for so long did not fail at once: proxies cut those on which nothing is said (ms). */
const HELD = 5_000;
/** Attempts to take up a call's stream that bring nothing new at once before it is given up. */
const MAX_VAIN_RESUMES = 5;

/** What a session was told to remember, by what it replaces: said again to a new one. */
const REMEMBERED: Readonly<Record<string, (params: Record<string, unknown> | undefined) => string>> = {
  'logging/setLevel': () => 'level',
  'resources/subscribe': (params) => `uri ${String(params?.['uri'])}`,
};

export class LegacyRoute {
  readonly #way: Way;
  #hello: RpcRequest | undefined;
  #session: string | undefined;
  #version: string | undefined;
  /** Whose lists the gateway says can change. */
  #lists: readonly string[] = [];
  #opening: Promise<void> | undefined;
  #greeting: Promise<void> | undefined;
  #listening = false;
  readonly #remembered = new Map<string, RpcRequest>();
  #count = 0;

  constructor(way: Way) {
    this.#way = way;
  }

  async send(message: RpcMessage): Promise<void> {
    await this.#opening;
    if (isRequest(message) && message.method === 'initialize') return this.#greet(message);
    // A client may ping before it has its answer, which brings the session that everything needs.
    await this.#greeting;
    if (isRequest(message)) return this.#ask(message, (answer) => this.#way.tell(answer));
    const answer = await this.#post(message, () => {});
    if (answer.status >= 300)
      this.#way.warn(`the gateway did not take a message: ${answer.problem ?? `HTTP ${answer.status}`}`);
    if (isNotification(message) && message.method === 'notifications/initialized') void this.#listen();
  }

  #greet(hello: RpcRequest): Promise<void> {
    const asked = this.#ask(hello, (answer) => this.#way.tell(answer));
    this.#greeting = asked.catch(() => {});
    return asked;
  }

  /** Says goodbye, so that the gateway need not wait for the session to grow old. */
  async end(): Promise<void> {
    if (this.#session === undefined) return;
    const sent = { method: 'DELETE', headers: this.#headers(), signal: AbortSignal.timeout(GOODBYE_TIMEOUT) } as const;
    await exchange(this.#way.wire, sent, () => {}).catch(() => {});
  }

  /** @param tell takes the answer, and whatever is said on the way to it */
  async #ask(request: RpcRequest, tell: (message: RpcMessage) => void): Promise<void> {
    const reply = { came: false };
    const take = (message: RpcMessage, status: number): void => {
      if ('method' in message) return this.#way.tell(message);
      // A gateway that could not read the id answers `null`; over HTTP it is clear what it means.
      if (message.id !== request.id && !(message.id === null && status >= 400)) return;
      reply.came = true;
      if (message.error === undefined) this.#noted(request, message.result);
      tell({ ...message, id: request.id });
    };
    // In whatever words: with a session, 404 only means that the gateway forgot it.
    const session = request.method === 'initialize' ? undefined : this.#session;
    const first = (message: RpcMessage, status: number): void => {
      if (status !== 404 || session === undefined) take(message, status);
    };
    let answer = await this.#post(request, first);
    if (answer.status === 404 && session !== undefined) {
      await this.#reopen(session);
      answer = await this.#post(request, take);
    }
    for (let vain = 0; !reply.came && answer.lastEventId !== undefined && vain < MAX_VAIN_RESUMES;) {
      const before = answer.lastEventId;
      await sleep(Math.min(answer.retry ?? PAUSE, PAUSE_MAX), undefined, { signal: this.#way.closed });
      const began = performance.now();
      answer = await this.#resume(before, take);
      vain = answer.lastEventId !== before || performance.now() - began > HELD ? 0 : vain + 1;
    }
    if (!reply.came) throw unanswered(request, answer);
  }

  async #resume(lastEventId: string, take: (message: RpcMessage, status: number) => void): Promise<Answer> {
    const headers = { ...this.#headers(), 'Last-Event-ID': lastEventId };
    const sent = { method: 'GET', headers, signal: this.#way.closed } as const;
    const answer = await patiently(() => exchange(this.#way.wire, sent, take), true, this.#way.closed);
    if (answer.status < 300) answer.lastEventId ??= lastEventId;
    return answer;
  }

  #noted(request: RpcRequest, result: unknown): void {
    const { method, params } = request;
    const key = REMEMBERED[method]?.(params);
    if (key !== undefined) this.#remembered.set(key, request);
    if (method === 'resources/unsubscribe') this.#remembered.delete(`uri ${String(params?.['uri'])}`);
    if (method !== 'initialize') return;
    this.#hello = request;
    const { protocolVersion, capabilities } = (result ?? {}) as {
      protocolVersion?: unknown;
      capabilities?: Record<string, { listChanged?: unknown } | undefined>;
    };
    this.#version = typeof protocolVersion === 'string' ? protocolVersion : undefined;
    this.#lists = ['tools', 'prompts', 'resources'].filter((list) => capabilities?.[list]?.listChanged === true);
  }

  async #post(message: RpcMessage, take: (message: RpcMessage, status: number) => void): Promise<Answer> {
    const hello = isRequest(message) && message.method === 'initialize';
    if (hello) this.#session = this.#version = undefined;
    const headers = { ...this.#headers(), 'Content-Type': 'application/json' };
    const sent = { method: 'POST', headers, body: JSON.stringify(message), signal: this.#way.closed } as const;
    // A call may have begun, and an answer may have been taken: neither is sent twice.
    const twice = 'method' in message && message.method !== 'tools/call';
    const answer = await patiently(() => exchange(this.#way.wire, sent, take), twice, this.#way.closed);
    if (hello) this.#session = answer.session;
    return answer;
  }

  #headers(): Record<string, string> {
    return {
      Accept: 'application/json, text/event-stream',
      ...(this.#session === undefined ? {} : { 'Mcp-Session-Id': this.#session }),
      ...(this.#version === undefined ? {} : { 'MCP-Protocol-Version': this.#version }),
    };
  }

  /** The gateway does not know the session any more: one asker opens a new one, the others wait for it. */
  #reopen(forgotten: string): Promise<void> {
    if (this.#session !== forgotten && !this.#opening) return Promise.resolve();
    this.#opening ??= (async () => {
      const hello = this.#hello;
      if (!hello) return;
      await this.#ask(this.#again(hello), () => {});
      await this.#post({ jsonrpc: '2.0', method: 'notifications/initialized' }, () => {});
      for (const request of this.#remembered.values()) await this.#ask(this.#again(request), () => {});
      this.#changed();
    })().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** Under an id that no client uses. */
  #again(request: RpcRequest): RpcRequest {
    return { ...request, id: `slipway-connect-${++this.#count}` };
  }

  /** What was missed is not known; what can have changed is asked for again. */
  #changed(): void {
    for (const list of this.#lists) this.#way.tell({ jsonrpc: '2.0', method: `notifications/${list}/list_changed` });
  }

  /** Hears what the gateway says unasked, for as long as the client is there. Never rejects. */
  async #listen(): Promise<void> {
    if (this.#listening) return;
    this.#listening = true;
    const { closed } = this.#way;
    let place: string | undefined;
    let session = this.#session;
    let missed = false;
    for (let pause = PAUSE; !closed.aborted; pause = Math.min(pause * 2, PAUSE_MAX)) {
      await this.#opening;
      if (session !== this.#session) place = undefined;
      session = this.#session;
      const last = place === undefined ? {} : { 'Last-Event-ID': place };
      const sent = { method: 'GET', headers: { ...this.#headers(), ...last }, signal: closed } as const;
      const began = performance.now();
      const begin = (status: number): void => {
        if (missed && status === 200) this.#changed();
        missed = false;
      };
      const answer = await exchange(this.#way.wire, sent, this.#way.tell, begin).catch(() => undefined);
      if (answer?.status === 405) return;
      if (answer?.status === 404 && session !== undefined) await this.#reopen(session).catch(() => {});
      if (answer?.status === 200) place = answer.lastEventId ?? place;
      // Nobody was there: what the gateway remembers of this session went with it.
      missed ||= answer === undefined;
      if (performance.now() - began > PAUSE_MAX) pause = PAUSE;
      const wait = Math.max(answer?.retry ?? 0, pause * (0.5 + Math.random()));
      await sleep(Math.min(wait, PAUSE_MAX), undefined, { signal: closed, ref: false }).catch(() => {});
    }
  }
}
