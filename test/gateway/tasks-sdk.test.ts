/** Tasks with the official SDK on both ends: two of its servers behind one route. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { expect, onTestFinished, test } from 'vitest';
import type { Endpoint } from '../../schemas/snapshot.ts';
import { client, start } from './helpers/gateway.ts';

async function sdkServer(name: string): Promise<Endpoint> {
  const taskStore = new InMemoryTaskStore();
  const capabilities = { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };
  const server = new McpServer({ name, version: '1' }, { capabilities, taskStore });
  server.experimental.tasks.registerToolTask(
    'work',
    { description: 'Takes its time.', execution: { taskSupport: 'required' } },
    {
      createTask: async (extra) => {
        const task = await extra.taskStore.createTask({ ttl: 60_000, pollInterval: 20 });
        const result = { content: [{ type: 'text' as const, text: `done by ${name}` }] };
        setImmediate(() => void extra.taskStore.storeTaskResult(task.taskId, 'completed', result));
        return { task };
      },
      getTask: async (extra) => extra.taskStore.getTask(extra.taskId),
      getTaskResult: async (extra) => (await extra.taskStore.getTaskResult(extra.taskId)) as { content: [] },
    },
  );
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID });
  await server.connect(transport as Transport);
  const listener = createServer((request, response) => void transport.handleRequest(request, response));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    listener.closeAllConnections();
    listener.close();
    await server.close();
    taskStore.cleanup();
  });
  const address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
  return { id: name, transport: 'http', address };
}

test('tools that are tasks run on both servers to their end, and are listed', async () => {
  await using gateway = await start({ servers: { one: await sdkServer('one'), other: await sdkServer('other') } });
  await using sdk = await client(`${gateway.url}/mcp`);
  expect(sdk.getServerCapabilities()?.tasks).toEqual({ list: {}, cancel: {}, requests: { tools: { call: {} } } });
  await sdk.listTools();
  const begun: string[] = [];
  for (const name of ['one', 'other']) {
    const said: string[] = [];
    for await (const message of sdk.experimental.tasks.callToolStream({ name: `${name}__work`, arguments: {} })) {
      if (message.type === 'taskCreated') begun.push(message.task.taskId);
      if (message.type === 'error') throw message.error;
      if (message.type === 'result') said.push(JSON.stringify(message.result.content));
    }
    expect(said).toEqual([JSON.stringify([{ type: 'text', text: `done by ${name}` }])]);
  }
  const { tasks } = await sdk.experimental.tasks.listTasks();
  expect(tasks.map(({ taskId, status }) => [taskId, status])).toEqual(begun.map((taskId) => [taskId, 'completed']));
});
