/** Servers with tasks, and clients that begin them. */
import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import type { RpcMessage } from '../../../schemas/jsonrpc.ts';
import { opened } from '../../helpers/opened.ts';
import type { Session } from './gateway.ts';

export const RELATED = 'io.modelcontextprotocol/related-task';

interface TaskServerOptions {
  /** How long one takes (ms): results are waited for. */
  readonly takes?: number;
  /** How often clients are told to ask how one stands (ms). */
  readonly pollInterval?: number;
}

/** A server of MCP 2025-11-25 with tasks, which it calls t1, t2 … as every other one of these does. */
export async function taskServer(name: string, { takes = 0, pollInterval }: TaskServerOptions = {}) {
  const seen: { method: string; taskId: unknown }[] = [];
  const tasks = new Map<string, { taskId: string; status: string }>();
  const answers: RpcMessage[] = [];
  const tokens: unknown[] = [];
  let stream: ServerResponse | undefined;
  let held: { response: ServerResponse; id: unknown; taskId: string } | undefined;
  const event = (to: ServerResponse | undefined, message: object): void =>
    void to?.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
  const create = (): object => {
    const taskId = `t${tasks.size + 1}`;
    tasks.set(taskId, { taskId, status: 'working', ...(pollInterval === undefined ? {} : { pollInterval }) });
    return { task: tasks.get(taskId) };
  };
  const capabilities = { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };
  const methods: Record<string, (params: Record<string, unknown>) => object | undefined> = {
    initialize: ({ protocolVersion }) => ({
      protocolVersion,
      capabilities,
      serverInfo: { name, version: '1' },
      instructions: `I am ${name}`,
    }),
    'tools/list': () => ({ tools: [{ name: 'work', inputSchema: { type: 'object' } }] }),
    'tools/call': ({ task }) => (task ? create() : { content: [{ type: 'text', text: name }] }),
    'tasks/get': ({ taskId }) => tasks.get(String(taskId)),
    'tasks/list': () => ({ tasks: [...tasks.values()] }),
    'tasks/result': ({ taskId }) => ({ content: [{ type: 'text', text: name }], _meta: { [RELATED]: { taskId } } }),
    'tasks/cancel': ({ taskId }) => ({ taskId, status: 'cancelled' }),
  };
  let [isAway, opened_] = [false, 0];
  const listener = createServer(async (request, response) => {
    if (isAway) return void request.destroy();
    if (request.method === 'GET') {
      opened_++;
      stream = response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      return void stream.write(': open\n\n');
    }
    const message = JSON.parse(await text(request)) as RpcMessage;
    if (!('method' in message)) {
      answers.push(message);
      event(held?.response, { id: held?.id, result: { content: [], _meta: { [RELATED]: { taskId: held?.taskId } } } });
      held?.response.end();
      return void response.writeHead(202).end();
    }
    const { method, params = {} } = message;
    if (!('id' in message)) return void response.writeHead(202).end();
    if (method === 'tools/call') tokens.push((params['_meta'] as { progressToken?: unknown })?.progressToken);
    if (method.startsWith('tasks/')) seen.push({ method, taskId: params['taskId'] });
    if (method === 'tasks/result' && tasks.get(String(params['taskId']))?.status === 'input_required') {
      held = { response, id: message.id, taskId: String(params['taskId']) };
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const _meta = { [RELATED]: { taskId: held.taskId } };
      const question = { message: 'Who?', requestedSchema: { type: 'object', properties: {} }, _meta };
      return event(response, { id: 'q', method: 'elicitation/create', params: question });
    }
    const result = methods[method]?.(params);
    const out = result ? { result } : { error: { code: -32_601, message: 'Method not found' } };
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const done = (): unknown => response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...out }));
    if (method === 'tasks/result') setTimeout(done, takes);
    else done();
  });
  const address = `${await opened(listener)}/mcp`;
  return {
    endpoint: { id: name, transport: 'http' as const, address },
    seen,
    tasks,
    answers,
    /** Under which progress of each call is to be told. */
    tokens,
    listening: () => stream !== undefined && !stream.destroyed,
    /** How often it was listened to. */
    opened: () => opened_,
    /** Breaks the stream on which it is listened to. */
    cut: () => stream?.destroy(),
    /** Takes nothing any more, or again. */
    away: (value: boolean) => void (isAway = value),
    say: (message: object) => event(stream, message),
  };
}

/** Begins a task. @returns its id, as the client knows it */
export async function begin(mine: Session, tool: string): Promise<string> {
  const { json } = await mine.rpc('tools/call', { name: tool, arguments: {}, task: { ttl: 60_000 } });
  const { taskId, status } = (json.result?.['task'] ?? {}) as { taskId: string; status: string };
  expect(status).toBe('working');
  return taskId;
}
