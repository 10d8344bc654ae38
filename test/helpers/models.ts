/** A server on this host that speaks as providers of language models do: what an AI SDK needs of each, and no model. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A question as it arrived, whatever the wire. */
export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  readonly system: string;
  readonly prompt: string;
  /** Resolves when the one who asked went away, or was answered. */
  readonly closed: Promise<unknown>;
}

/** A text, or something that no provider should answer. `'silence'`: nothing ever comes. `'half'`: it breaks in the middle. */
export type Reply =
  | string
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };

export type Answering = (asked: Asked) => Reply | 'silence' | 'half' | Promise<Reply | 'silence' | 'half'>;

type Json = Readonly<Record<string, unknown>>;

export class Models implements AsyncDisposable {
  readonly url: string;
  readonly asked: Asked[] = [];
  /** Those that wait for their answer now, and the most that ever did. */
  running = 0;
  most = 0;
  answering: Answering = ({ prompt }) => `about ${prompt}`;
  readonly #server;

  static async start(): Promise<Models> {
    const server = createServer((request, response) => void models.#serve(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const models = new Models(server);
    return models;
  }

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks = await request.toArray();
    const path = request.url ?? '';
    const body = JSON.parse(Buffer.concat(chunks as Buffer[]).toString('utf8') || '{}') as Json;
    const wire = wireOf(path);
    const closed = once(response, 'close');
    const asked = { path, headers: request.headers, body, ...wire.read(body), closed };
    this.asked.push(asked);
    this.most = Math.max(this.most, ++this.running);
    void closed.then(() => this.running--);
    const reply = await this.answering(asked);
    if (reply === 'silence') return;
    if (reply === 'half') {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 });
      response.write('{"id":', () => response.destroy());
      return;
    }
    const {
      status,
      headers = {},
      body: text,
    } = typeof reply === 'string' ? { status: 200, body: JSON.stringify(wire.write(reply)) } : reply;
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(text ?? '');
  }
}

interface Wire {
  read(body: Json): { system: string; prompt: string };
  write(text: string): Json;
}

const textOf = (content: unknown): string =>
  typeof content === 'string'
    ? content
    : ((content ?? []) as readonly { text: string }[]).map(({ text }) => text).join('');

const byRole = (messages: unknown, role: string): string =>
  textOf((messages as { role: string; content: unknown }[]).find((message) => message.role === role)?.content);

/** https://platform.openai.com/docs/api-reference/chat/create */
const chat: Wire = {
  read: ({ messages }) => ({ system: byRole(messages, 'system'), prompt: byRole(messages, 'user') }),
  write: (content) => ({
    id: 'c1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 30, completion_tokens: 5, total_tokens: 35 },
  }),
};

/** https://platform.openai.com/docs/api-reference/responses/create */
const responses: Wire = {
  read: ({ input }) => ({ system: byRole(input, 'system'), prompt: byRole(input, 'user') }),
  write: (text) => ({
    id: 'r1',
    object: 'response',
    created_at: 1,
    status: 'completed',
    model: 'm',
    output: [
      {
        type: 'message',
        id: 'm1',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text, annotations: [] }],
      },
    ],
    usage: { input_tokens: 30, output_tokens: 5, total_tokens: 35 },
  }),
};

/** https://docs.anthropic.com/en/api/messages */
const messages: Wire = {
  read: ({ system, messages: all }) => ({ system: textOf(system), prompt: byRole(all, 'user') }),
  write: (text) => ({
    id: 'm1',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 30, output_tokens: 5 },
  }),
};

/** https://ai.google.dev/api/generate-content */
const generateContent: Wire = {
  read: ({ systemInstruction, contents }) => ({
    system: textOf((systemInstruction as { parts?: unknown } | undefined)?.parts),
    prompt: textOf((contents as { parts: unknown }[])[0]?.parts),
  }),
  write: (text) => ({
    candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 30, candidatesTokenCount: 5, totalTokenCount: 35 },
  }),
};

function wireOf(path: string): Wire {
  if (path.endsWith('/responses')) return responses;
  if (path.endsWith('/messages')) return messages;
  return path.includes(':generateContent') ? generateContent : chat;
}
