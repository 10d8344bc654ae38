/** One route with one pipeline, which each test gives anew: a gateway, its server, a model, and what was audited. */
import type { Gateway } from '../../../gateway/index.ts';
import type { LlmEntry } from '../../../schemas/llm.ts';
import type { PipelineEntry } from '../../../schemas/pipelines.ts';
import type { Snapshot } from '../../../schemas/snapshot.ts';
import { principal, session, snapshot, start, type Session, type Wish } from '../../gateway/helpers/gateway.ts';
import { Models } from '../../helpers/models.ts';
import { answering, type Answering } from './answering.ts';

export const BOOK = Array.from(
  { length: 4 },
  (_, at) => `# Chapter ${at + 1}\n\n${`Words of ${at + 1}. `.repeat(300)}\n\n`,
).join('');
export const TOKEN = `AKIA${'ABCD'.repeat(4)}`;
const ROWS = Array.from({ length: 200 }, (_, id) => ({ id, token: TOKEN, note: 'x'.repeat(50) }));
export const SPLIT = { type: 'section-split', minSize: 2048, maxSize: 15_360 } as const;
export const through = (...stages: PipelineEntry['stages']): PipelineEntry => ({
  appliesTo: ['toolResult'],
  minBytes: 2048,
  stages,
});
export const code = (text: string, more: object = {}): PipelineEntry['stages'][number] => ({
  type: 'module',
  file: 'stages/own.mjs',
  code: text,
  config: { suffix: '!' },
  timeoutMs: 10_000,
  memoryBytes: 2 ** 24,
  ...more,
});

export const CODE_MODE = {
  timeoutMs: 30_000,
  cpuMs: 10_000,
  memoryBytes: 2 ** 25,
  maxCalls: 5,
  maxConcurrentCalls: 2,
  scriptBytes: 10_000,
  resultBytes: 10_000,
  consoleBytes: 100,
};

const TOOLS = [
  { name: 'book', annotations: { readOnlyHint: true } },
  { name: 'rows' },
  { name: 'odd' },
  { name: 'bare' },
  { name: 'refusing' },
];
const ANSWERS = {
  book: () => ({ content: [{ type: 'text', text: BOOK }] }),
  rows: () => ({ content: [{ type: 'text', text: JSON.stringify(ROWS) }] }),
  odd: () => ({ content: [null, 5, { type: 'text' }, { type: 'text', text: 'a' }, { type: 'text', text: BOOK }] }),
  bare: () => ({}),
  guide: () => ({ description: TOKEN, messages: [null, { role: 'user', content: { type: 'text', text: TOKEN } }] }),
};

interface Told {
  readonly kind: string;
  readonly detail?: unknown;
  readonly deniedReason?: string | undefined;
}

export class Piped implements AsyncDisposable {
  readonly library: Answering;
  readonly models: Models;
  readonly gateway: Gateway;
  readonly events: Told[];
  readonly logged: string[];

  private constructor(given: Pick<Piped, 'library' | 'models' | 'gateway' | 'events' | 'logged'>) {
    this.library = given.library;
    this.models = given.models;
    this.gateway = given.gateway;
    this.events = given.events;
    this.logged = given.logged;
  }

  static async start(): Promise<Piped> {
    const events: Told[] = [];
    const logged: string[] = [];
    const library = await answering('library', TOOLS, ANSWERS);
    const models = await Models.start();
    const audit = {
      record: ({ kind, detail, deniedReason }: Told) => void events.push({ kind, detail, deniedReason }),
      blocked: false,
    };
    const gateway = await start(
      {},
      { audit, log: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`) },
    );
    return new Piped({ library, models, gateway, events, logged });
  }

  /** One that speaks as the server of {@link models} does. */
  model(name = 'it', more: Partial<LlmEntry> = {}): LlmEntry {
    return {
      name,
      type: 'openai-compatible',
      model: `${name}-1`,
      url: `${this.models.url}/v1`,
      publicOnly: false,
      isDefault: true,
      timeoutMs: 20_000,
      maxOutputTokens: 500,
      maxConcurrent: 2,
      ...more,
    };
  }

  /** Another test begins. */
  begin(): void {
    for (const list of [this.events, this.logged, this.library.calls, this.models.asked]) list.length = 0;
  }

  /** With the pipeline on the one route. */
  swap(
    pipeline: PipelineEntry,
    { server = {}, route = {}, ...wish }: Wish & { server?: object; route?: object } = {},
  ): ReturnType<Gateway['swap']> {
    const config: Snapshot = snapshot({
      servers: { library: { endpoints: [this.library.endpoint], ...server } },
      routes: {
        '/projects/dev/mcp': { project: 'dev', servers: ['library'], separator: '__', pipeline: 'it', ...route },
      },
      principals: [principal('ada', 'ada'), principal('bob', 'bob')],
      pipelines: { it: pipeline },
      ...wish,
    });
    return this.gateway.swap(config);
  }

  open(token = 'ada', path = '/projects/dev/mcp'): Promise<Session> {
    return session(this.gateway.url, { path, token });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await Promise.all([this.library, this.models].map((one) => one[Symbol.asyncDispose]()));
  }
}

export async function said(
  client: Session,
  name: string,
  args: object = {},
): Promise<{ text: string; isError?: boolean }> {
  const { json } = await client.rpc('tools/call', { name, arguments: args });
  const { content, isError } = json.result as { content: { text: string }[]; isError?: boolean };
  return { text: content[0]?.text ?? '', ...(isError === undefined ? {} : { isError }) };
}
export const idIn = (table: string): string => /^_resultId: (\S+)$/m.exec(table)?.[1] ?? 'none';
