/** Two servers whose results are kept, and callers of both eras; anew for each test of a file. */
import { afterAll, beforeEach } from 'vitest';
import type { Gateway } from '../../../gateway/index.ts';
import type { AuditDraft } from '../../../schemas/audit.ts';
import type { Log } from '../../../schemas/log.ts';
import type { ServerEntry, Snapshot } from '../../../schemas/snapshot.ts';
import { principal, session, snapshot, start } from '../../gateway/helpers/gateway.ts';
import { ask } from '../../gateway/helpers/modern.ts';
import { modernServer } from '../../gateway/helpers/modern-upstream.ts';
import { socketUpstream } from '../../gateway/helpers/upstreams.ts';

export const reads = (name: string): object => ({
  name,
  inputSchema: { type: 'object' },
  annotations: { readOnlyHint: true },
});

export type Result = Record<string, unknown> & { content: { text: string }[]; _meta?: Record<string, unknown> };

export const textOf = ({ content }: Result): string | undefined => content?.[0]?.text;

export const RULES = [
  { tools: ['get*', 'save'], ttlMs: 60_000 },
  { tools: ['get_said'] },
  { tools: ['forced'], ttlMs: 60_000, force: true },
  { tools: ['who'], ttlMs: 60_000 },
] as const satisfies ServerEntry['cache'];

type Call = (name: string, args?: object, token?: string, path?: string) => Promise<Result>;

export interface KeptScene {
  readonly gateway: Gateway;
  readonly up: Awaited<ReturnType<typeof modernServer>>;
  readonly old: Awaited<ReturnType<typeof socketUpstream>>;
  /** What a tool of `up` answers besides how often it was called. */
  special: Record<string, object>;
  /** Names of tools of `up`. */
  calls: string[];
  /** How many tests began. */
  turn: number;
  readonly audited: AuditDraft[];
  readonly logged: string[];
  wish(more?: Partial<Snapshot>, rules?: ServerEntry['cache']): Snapshot;
  /** With nothing kept: another config of the cache is another cache. */
  fresh(more?: Partial<Snapshot>): Promise<void>;
  readonly legacy: Call;
  readonly modern: Call;
}

export async function keptScene(): Promise<KeptScene> {
  const up = await modernServer(
    ({ method, params }) => {
      if (method !== 'tools/call') return undefined;
      const name = String(params?.['name']);
      scene.calls.push(name);
      const { error, ...more } = { error: undefined, ...scene.special[name] };
      if (error) return { error };
      const content = [{ type: 'text', text: `${name} ${scene.calls.length}` }];
      return { result: { resultType: 'complete', content, ...more } };
    },
    () => [
      ...['get', 'get_said', 'list', 'other'].map(reads),
      { name: 'forced', inputSchema: {} },
      { name: 'save', inputSchema: {} },
    ],
  );
  const old = await socketUpstream('old');
  old.tools.splice(0, old.tools.length, { ...(reads('who') as { name: string }) });
  const audited: AuditDraft[] = [];
  const audit = { record: (draft: AuditDraft) => void audited.push({ ...draft }), blocked: false };
  const logged: string[] = [];
  const log: Log = (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const wish: KeptScene['wish'] = (more = {}, cache = [...RULES]) => ({
    ...snapshot({
      servers: { up: { endpoints: [up.endpoint], cache }, old: { endpoints: [old.endpoint], cache } },
      principals: [principal('ada', 'a'), principal('bob', 'b')],
    }),
    ...more,
  });
  const gateway = await start(wish(), { audit, log });
  const scene: KeptScene = {
    gateway,
    up,
    old,
    special: {},
    calls: [],
    turn: 0,
    audited,
    logged,
    wish,
    fresh: (more = {}) => gateway.swap(wish(more, [...RULES, { tools: [`turn-${scene.turn++}`] }])),
    async legacy(name, args = {}, token = 'a', path = '/mcp') {
      const { rpc } = await session(gateway.url, { token, path });
      const { json } = await rpc('tools/call', { name, arguments: args });
      return (json.result ?? json.error) as Result;
    },
    async modern(name, args = {}, token = 'a', path = '/mcp') {
      const { json } = await ask(gateway.url, 'tools/call', { name, arguments: args }, { token, path });
      return (json.result ?? json.error) as Result;
    },
  };
  beforeEach(async () => {
    scene.special = {};
    scene.calls = [];
    audited.length = 0;
    await scene.fresh();
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await Promise.all([up, old].map((one) => one[Symbol.asyncDispose]()));
  });
  return scene;
}
