/** One route with one Plugin, whose hooks each test gives anew, for clients of both eras; what was logged and audited. */
import type { Gateway } from '../../../gateway/index.ts';
import type { AuditDraft } from '../../../schemas/audit.ts';
import type { Hook, PluginEntry } from '../../../schemas/plugins.ts';
import type { Route, Snapshot } from '../../../schemas/snapshot.ts';
import { principal, raw, session, snapshot, start, type Raw, type Wish } from '../../gateway/helpers/gateway.ts';
import { ask } from '../../gateway/helpers/modern.ts';
import { answering, type Answering } from './answering.ts';

export const text = (value: string): object => ({ content: [{ type: 'text', text: value }] });
const counted = (count: unknown): object => ({ ...text('counted'), structuredContent: { count } });
export const COUNT = { type: 'object', properties: { count: { type: 'number' } }, required: ['count'] };
export const ERAS = ['2025-11-25', '2026-07-28'] as const;
export type Era = (typeof ERAS)[number];

const TOOLS = [
  { name: 'echo', title: 'Echo', description: 'Says it again.', inputSchema: { type: 'object', required: ['a'] } },
  { name: 'wipe', description: 'Wipes all.' },
  { name: 'count', outputSchema: COUNT },
  { name: 'slow_task', execution: { taskSupport: 'optional' } },
];
const ANSWERS = {
  echo: (args: Record<string, unknown>) => text(JSON.stringify(args)),
  wipe: () => text('wiped'),
  count: () => counted(1),
  slow_task: () => text('done'),
  guide: () => ({ messages: [{ role: 'user', content: { type: 'text', text: 'Do it.' } }] }),
  other: () => ({ messages: [] }),
  'resources/list': () => ({
    resources: [
      { uri: 'note://a', name: 'a' },
      { uri: 'note://b', name: 'b' },
    ],
  }),
  'resources/read': ({ uri }: Record<string, unknown>) => ({ contents: [{ uri, text: 'a note' }] }),
  'resources/templates/list': () => ({ resourceTemplates: [] }),
};

export const entry = (code: string, hooks: PluginEntry['hooks'], more: Partial<PluginEntry> = {}): PluginEntry => ({
  file: 'plugins/it.mjs',
  code,
  config: {},
  timeoutMs: 2_000,
  memoryBytes: 2 ** 25,
  hooks,
  ...more,
});

export interface Client {
  rpc(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  readonly id: string;
}

interface Given extends Wish {
  readonly plugin?: Partial<PluginEntry>;
  readonly route?: Partial<Route>;
  readonly entry?: object;
}

export class Plugged implements AsyncDisposable {
  readonly server: Answering;
  readonly gateway: Gateway;
  readonly events: AuditDraft[];
  readonly logged: string[];
  #paths = 0;

  private constructor(given: Pick<Plugged, 'server' | 'gateway' | 'events' | 'logged'>) {
    this.server = given.server;
    this.gateway = given.gateway;
    this.events = given.events;
    this.logged = given.logged;
  }

  static async start(): Promise<Plugged> {
    const events: AuditDraft[] = [];
    const logged: string[] = [];
    const server = await answering('desk', TOOLS, ANSWERS);
    const gateway = await start(
      {},
      {
        audit: { record: (draft) => void events.push({ ...draft }), blocked: false },
        log: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`),
      },
    );
    return new Plugged({ server, gateway, events, logged });
  }

  /** Another test begins, with another route: what a client keeps on one, it does not on others. */
  begin(): void {
    this.#paths++;
    for (const list of [this.events, this.logged, this.server.calls]) list.length = 0;
  }

  get path(): string {
    return `/projects/p${this.#paths}/mcp`;
  }

  /** @param code bodies of hooks of the one Plugin `it` */
  config(
    code: Partial<Record<Hook, string>>,
    { plugin = {}, route = {}, entry: of = {}, ...wish }: Given = {},
  ): Snapshot {
    const bodies = Object.entries(code).map(([hook, body]) => `export async function ${hook}(input, ctx) { ${body} }`);
    const hooks = Object.fromEntries(Object.keys(code).map((hook) => [hook, ['it']]));
    return snapshot({
      servers: { desk: { endpoints: [this.server.endpoint], ...of } },
      routes: {
        [this.path]: {
          project: 'dev',
          servers: ['desk'],
          separator: '__',
          instructions: 'Be kind.',
          plugin: 'it',
          ...route,
        },
      },
      principals: [principal('ada', 'ada'), principal('bob', 'bob')],
      plugins: { it: entry(bodies.join('\n'), hooks, plugin) },
      ...wish,
    });
  }

  swap(...given: Parameters<Plugged['config']>): ReturnType<Gateway['swap']> {
    return this.gateway.swap(this.config(...given));
  }

  async open(era: Era, token = 'ada'): Promise<Client> {
    if (era === '2026-07-28')
      return {
        id: '',
        rpc: async (method, params = {}) => {
          const { json } = await ask(this.gateway.url, method, params, { path: this.path, token });
          return json.result ?? { error: json.error };
        },
      };
    const own = await session(this.gateway.url, { path: this.path, token });
    return {
      id: own.id,
      rpc: async (method, params = {}) => {
        // The last, after what it is told before.
        const { text: whole, json } = await own.rpc(method, params);
        const last = (whole.match(/^data: .+$/gm) ?? []).at(-1)?.slice('data: '.length);
        const { result, error } = last === undefined ? json : (JSON.parse(last) as typeof json);
        return result ?? { error };
      },
    };
  }

  /** As `initialize` is answered, or `server/discover`. */
  async greeted(era: Era): Promise<Raw['json']> {
    const { url } = this.gateway;
    const { path } = this;
    if (era === '2026-07-28') return (await ask(url, 'server/discover', {}, { path, token: 'ada' })).json;
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      Authorization: 'Bearer ada',
    };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    return (await raw(url, { method: 'POST', path, headers, body })).json;
  }

  /** Hooks that ran, and what became of them. */
  get ran(): unknown[] {
    return this.events
      .filter(({ kind }) => kind === 'plugin_execution')
      .map(({ detail, outcome, deniedReason }) => [detail?.['hook'], deniedReason ?? outcome]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

export const saidIn = (result: Record<string, unknown>): string =>
  (result['content'] as { text: string }[])[0]?.text ?? '';
export const call = async (client: Client, name: string, args: object = { a: 1 }): Promise<Record<string, unknown>> =>
  client.rpc('tools/call', { name: `desk__${name}`, arguments: args });
