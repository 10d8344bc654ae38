/**
 * A call of a client that keeps no session (MCP 2026-07-28), over as many requests as it takes: when a legacy server
 * asks its client something, the request that waits is answered with the question (`input_required`), while the call to
 * the server stays open until the client comes back with an answer.
 */
import { randomUUID } from 'node:crypto';
import { SlipwayError } from '../../schemas/errors.ts';
import { progressTokenOf, RPC, RpcFailure, type RpcNotification, type RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Asked, Client } from '../../schemas/peer.ts';
import type { CallEnd } from '../era/era.ts';
import type { Asker } from '../era/modern-request.ts';
import type { Trace } from '../audit/trace.ts';
import type { Caller } from '../exchange.ts';
import type { Json } from '../rpc/json.ts';
import type { Reply } from '../rpc/reply.ts';
import { checkCapabilities } from './capabilities.ts';
import { reaches } from './levels.ts';

/** Questions that one call may have open: a server must not fill the memory, or a person's screen. */
const MAX_WAITING = 100;
/** The only requests that may be answered with a question. */
const ASKABLE: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);
/** What is kept of what a server says while no request of the client is there to carry it. */
const MAX_KEPT = 100;

/** The request that carries the call just now. */
export interface Carrier {
  readonly caller: Caller;
  readonly request: RpcRequest;
  readonly reply: Reply;
}

interface Question {
  readonly method: string;
  readonly params: Record<string, unknown>;
  /** Whether it was handed to the client, and not come back. */
  told: boolean;
  resolve(answer: unknown): void;
}

export class Round {
  /** Begins with who is behind it, and where: as much of a session as there is. */
  readonly id: string;
  /** The answer in the end. */
  result: Promise<Json> | undefined;
  readonly asker: Asker;
  /** The progress token that the server knows: that of the first request. */
  readonly #token: unknown;
  /** Whether its request may be answered with a question. */
  readonly askable: boolean;
  readonly #principal: string;
  readonly #questions = new Map<string, Question>();
  #carrier: Carrier | undefined;
  #trace: Trace;
  #kept: RpcNotification[] = [];
  #asked = Promise.withResolvers<undefined>();
  readonly #onGone = new Set<() => void>();
  #count = 0;
  #gone = false;

  constructor(asker: Asker, carrier: Carrier) {
    const { identity, route } = carrier.caller;
    this.id = `${identity.key} ${route.path} ${nameOf(asker.info)}#${randomUUID()}`;
    this.#principal = identity.key;
    this.asker = asker;
    this.#trace = carrier.caller.trace;
    this.#token = progressTokenOf(carrier.request.params);
    this.askable = ASKABLE.has(carrier.request.method);
    this.attach(carrier);
  }

  /** From now on this request waits for the answer, and hears what comes before it. */
  attach(carrier: Carrier): void {
    this.#carrier = carrier;
    if (carrier.caller.trace !== this.#trace) carrier.caller.trace.continues(this.#trace);
    this.#trace = carrier.caller.trace;
    carrier.caller.response.once('close', () => {
      if (this.#carrier === carrier) this.abandon();
    });
    for (const { method, params } of this.#kept.splice(0)) this.notify(method, params);
  }

  /** Of the request that carries it, or did so last. */
  get trace(): Trace {
    return this.#trace;
  }

  /** The request that carried it is about to be answered with questions. */
  detach(): void {
    this.#carrier = undefined;
  }

  notify(method: string, params: Record<string, unknown> | undefined): void {
    const { request, reply } = this.#carrier ?? {};
    if (!request || !reply) {
      if (this.#kept.length < MAX_KEPT) this.#kept.push({ jsonrpc: '2.0', method, ...(params ? { params } : {}) });
    } else if (params?.['progressToken'] === undefined || params['progressToken'] !== this.#token) {
      reply.notify(method, params);
    } else {
      // A retry is a request of its own, with a token of its own, or none.
      const progressToken = progressTokenOf(request.params);
      if (progressToken !== undefined) reply.notify(method, { ...params, progressToken });
    }
  }

  onGone(listener: () => void): () => void {
    this.#onGone.add(listener);
    // The client may have left while it was looked up whom the request is for.
    if (this.#gone) listener();
    return () => void this.#onGone.delete(listener);
  }

  /** Holds on to the call: what serves it must stay, however long its client thinks. */
  run(result: Promise<Json>, { generation }: Caller): void {
    generation.enter();
    this.result = result.finally(() => generation.leave());
    // While it is parked nobody waits for it.
    this.result.catch(() => {});
  }

  /** Nobody comes back for it: the call ends. */
  abandon(): void {
    this.#gone = true;
    for (const listener of this.#onGone) listener();
  }

  /** Resolves when there is a question that the client has not been told. */
  get asked(): Promise<undefined> {
    return this.#asked.promise;
  }

  /** The questions that are open, to be told now. */
  questions(): Record<string, { method: string; params: Record<string, unknown> }> {
    this.#asked = Promise.withResolvers();
    return Object.fromEntries(
      [...this.#questions].map(([key, question]) => {
        question.told = true;
        return [key, { method: question.method, params: question.params }];
      }),
    );
  }

  /** Hands over what the client came back with. What it left out, or what can be no answer, is asked again. */
  answer(responses: unknown): void {
    const given = new Map(Object.entries(typeof responses === 'object' && responses !== null ? responses : {}));
    for (const [key, question] of this.#questions) {
      const response: unknown = given.get(key);
      if (question.told && typeof response === 'object' && response !== null) question.resolve(response);
      else question.told = false;
    }
    this.#tell();
  }

  #tell(): void {
    if ([...this.#questions.values()].some(({ told }) => !told)) this.#asked.resolve(undefined);
  }

  /** @param onWaiting called when the server begins to wait for the client, and when it no longer does */
  open(retry: Client['retry'], onWaiting: (waiting: boolean) => void): CallEnd {
    // Few calls are ever asked anything, and an error costs its stack.
    let over: AbortController | undefined;
    let ended = false;
    const { asker } = this;
    return {
      id: this.id,
      principal: this.#principal,
      capabilities: asker.capabilities,
      info: asker.info,
      logLevel: asker.logLevel,
      takesInput: true,
      retry,
      request: async (request, { signal }) => {
        if (ended) throw new SlipwayError('cancelled', 'The call has ended.');
        over ??= new AbortController();
        return this.#ask(request, AbortSignal.any([signal, over.signal]), onWaiting);
      },
      notify: ({ method, params }) => {
        const { logLevel } = asker;
        const wanted = logLevel !== undefined && reaches(logLevel, params?.['level']);
        if (!ended && (method !== 'notifications/message' || wanted)) this.notify(method, params);
      },
      waits: onWaiting,
      end: () => {
        ended = true;
        over?.abort(new SlipwayError('cancelled', 'The call has ended.'));
      },
    };
  }

  async #ask(
    { method, params = {} }: RpcRequest,
    signal: Asked['signal'],
    onWaiting: (waiting: boolean) => void,
  ): Promise<unknown> {
    checkCapabilities(this.asker.declared, method, params);
    if (!this.askable) throw new RpcFailure({ code: RPC.methodNotFound, message: 'The client cannot be asked now' });
    signal.throwIfAborted();
    if (this.#questions.size >= MAX_WAITING)
      throw new RpcFailure({ code: RPC.invalidRequest, message: 'Too many questions of one call wait for an answer' });
    const key = `q${++this.#count}`;
    const answer = Promise.withResolvers<unknown>();
    const onAbort = (): void => answer.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#questions.set(key, { method, params: inNewWords(params), told: false, resolve: answer.resolve });
    // Questions that arrive together are told together.
    setImmediate(() => this.#tell());
    onWaiting(true);
    try {
      return await answer.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#questions.delete(key);
      onWaiting(false);
    }
  }
}

/** What a client calls itself: two programs of one principal are two clients. */
function nameOf(info: unknown): string {
  const { name, version } = (info ?? {}) as { readonly name?: unknown; readonly version?: unknown };
  // Written as JSON, so that no name can pass for another's.
  return JSON.stringify([String(name).slice(0, 100), String(version).slice(0, 100)]);
}

/** There is no progress of a question any more, and no notice of the end of a visit to a web page. */
function inNewWords({ elicitationId: _id, _meta, ...params }: Record<string, unknown>): Record<string, unknown> {
  const { progressToken: _token, ...meta } = (_meta ?? {}) as Record<string, unknown>;
  return Object.keys(meta).length > 0 ? { ...params, _meta: meta } : params;
}
