/**
 * A driver whose instances are objects of this process, each a real MCP server with one tool, `echo`. It makes plans,
 * rollouts and faults testable without a process, and passes the same contract as the others.
 */
import { SlipwayError } from '../../schemas/errors.ts';
import { LEGACY_VERSIONS, RPC, RpcFailure, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { Peer, type Connection, type ConnectionHandlers } from '../../schemas/peer.ts';
import { instanceName, type Workload } from '../workload.ts';
import type { Driver, Instance } from './driver.ts';

export interface MemoryDriver extends Driver {
  /** Ends an instance as a crash or a person would, behind the reconciler's back. */
  kill(id: string): void;
  /** Changes an instance by hand, in the way the text says. */
  alter(id: string, how: string): void;
}

export interface MemoryOptions {
  /** Called before an instance is made; throws to make it fail. */
  onEnsure?: (workload: Workload, index: number, signal: AbortSignal) => Promise<void> | void;
}

export function memoryDriver(options: MemoryOptions = {}): MemoryDriver {
  const instances = new Map<string, Instance>();
  const listeners = new Set<(id: string, outside: boolean) => void>();
  const changed = (id: string, outside = false): void => listeners.forEach((listener) => listener(id, outside));
  const forget = (id: string, outside = false): void => {
    if (instances.delete(id)) changed(id, outside);
  };
  return {
    name: 'memory',
    list: async () => [...instances.values()],
    async ensure(workload, index, signal) {
      signal.throwIfAborted();
      const id = instanceName(workload, index);
      const existing = instances.get(id);
      if (existing) return existing;
      await options.onEnsure?.(workload, index, signal);
      signal.throwIfAborted();
      const instance: Instance = {
        id,
        address: workload.address,
        hash: workload.hash,
        index,
        state: 'running',
        endpoint: { id, transport: 'stdio', address: `unix:/nonexistent/${id}` },
        restarts: 0,
        startedAt: new Date().toISOString(),
      };
      instances.set(id, instance);
      changed(id);
      return instance;
    },
    remove: async (id) => forget(id),
    idle: async () => {},
    connect: (id, handlers) => (instances.has(id) ? connectTo(id, handlers) : undefined),
    watch(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    kill: (id) => forget(id, true),
    alter(id, how) {
      const instance = instances.get(id);
      if (!instance) return;
      instances.set(id, { ...instance, drift: [...(instance.drift ?? []), how] });
      changed(id, true);
    },
    async [Symbol.asyncDispose]() {
      instances.clear();
    },
  };
}

/** Two peers back to back. Messages cross in a microtask, as they would through a pipe. */
function connectTo(id: string, handlers: ConnectionHandlers): Connection {
  const client: Peer = new Peer({ ...handlers, send: (message) => queueMicrotask(() => server.receive(message)) });
  const server: Peer = new Peer({
    send: (message) => queueMicrotask(() => client.receive(message)),
    onRequest: async (request) => answer(id, request),
  });
  return {
    request: (method, params, requestOptions) => client.request(method, params, requestOptions),
    notify: (method, params) => client.notify(method, params),
    get inFlight() {
      return client.inFlight;
    },
    close: () => client.close(new SlipwayError('cancelled', 'The connection was closed.')),
  };
}

function answer(id: string, { method, params }: RpcRequest): unknown {
  if (method === 'initialize') {
    return { protocolVersion: LEGACY_VERSIONS[0], capabilities: { tools: {} }, serverInfo: { name: id, version: '1' } };
  }
  if (method === 'tools/list') {
    return { tools: [{ name: 'echo', inputSchema: { type: 'object', properties: { message: { type: 'string' } } } }] };
  }
  if (method === 'tools/call' && params?.['name'] === 'echo') {
    const message = (params['arguments'] as { message?: unknown } | undefined)?.message;
    return { content: [{ type: 'text', text: `${id}: ${String(message)}` }] };
  }
  throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${method}` });
}
