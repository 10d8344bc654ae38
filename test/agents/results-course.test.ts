/** A result on its way to an agent: whose time it may take, who may take it back, and what clients were promised of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { Gateway } from '../../gateway/index.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { redactValue } from '../../schemas/secret-shapes.ts';
import { client, principal, raw, session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { eventually } from '../helpers/until.ts';
import { answering, type Answering } from './helpers/answering.ts';

type Pipeline = NonNullable<Snapshot['pipelines']>[string];

const ROWS = Array.from({ length: 400 }, (_, id) => ({ id, name: `customer ${id}`, note: 'x'.repeat(30) }));
const LONG = 'word '.repeat(2000);
const pipe = (...stages: Pipeline['stages']): Pipeline => ({ appliesTo: ['toolResult'], minBytes: 2048, stages });
const BUSY: Pipeline['stages'][number] = {
  type: 'module',
  file: 'busy.mjs',
  code: 'export default (input) => { for (;;); }',
  config: {},
  timeoutMs: 50_000,
  memoryBytes: 2 ** 25,
};

let lib: Answering;
let gateway: Gateway;
const audited: AuditDraft[] = [];
beforeAll(async () => {
  lib = await answering(
    'lib',
    [{ name: 'long' }, { name: 'refusing' }, { name: 'exact', outputSchema: { type: 'object' } }],
    {
      long: () => ({ content: [{ type: 'text', text: LONG }] }),
      exact: () => ({ content: [{ type: 'text', text: JSON.stringify(ROWS) }], structuredContent: { rows: ROWS } }),
    },
  );
  const names = ['split', 'busy', 'guard'];
  gateway = await start(
    snapshot({
      servers: { lib: { endpoints: [lib.endpoint] } },
      routes: Object.fromEntries(
        names.map((project) => [
          `/projects/${project}/mcp`,
          { project, servers: ['lib'], separator: '__', pipeline: project },
        ]),
      ),
      principals: [principal('ada', 'ada')],
      limits: { projects: { busy: { timeoutMs: 1500 } } },
      pipelines: {
        split: pipe({ type: 'section-split', minSize: 2048, maxSize: 15_360 }),
        busy: pipe(BUSY),
        guard: pipe({ type: 'redact', patterns: ['no'] }),
      },
    }),
    { audit: { record: (draft) => void audited.push({ ...draft }), blocked: false } },
  );
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await lib[Symbol.asyncDispose]();
});

const textIn = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

test('a tool that promises a shape keeps to it: its sections are read by get_section alone', async () => {
  await using ada = await client(`${gateway.url}/projects/split/mcp`, 'ada');
  await ada.listTools(); // From here on this client checks results.
  const table = textIn(await ada.callTool({ name: 'lib__exact', arguments: {} }));
  const [, id] = /_resultId: (\S+)/.exec(table) ?? [];
  expect(table).toContain('get_section');
  expect(table).not.toContain('same tool');
  const again = await ada.callTool({ name: 'lib__exact', arguments: { _resultId: id, _section: '1' } });
  expect(again.isError).toBe(true);
  expect(textIn(again)).toContain('get_section');
  expect(lib.calls.filter((name) => name === 'exact')).toHaveLength(1);
  expect(textIn(await ada.callTool({ name: 'get_section', arguments: { resultId: id, section: '1' } }))).toContain(
    'customer 0',
  );
});

test('the time that a request may take bounds its pipeline: what is not done by then passes as it was', async () => {
  await using ada = await client(`${gateway.url}/projects/busy/mcp`, 'ada');
  expect(textIn(await ada.callTool({ name: 'lib__long', arguments: {} }))).toBe(LONG);
  expect(audited.findLast(({ kind }) => kind === 'stage_execution')).toMatchObject({ deniedReason: 'stage_time' });
});

test('a client that takes its call back ends what is done to the result', async () => {
  const { send } = await session(gateway.url, { path: '/projects/busy/mcp', token: 'ada' });
  /** What the server has answered: the rest of a call's time is the pipeline's. */
  const answered = async (): Promise<number> => {
    const { text } = await raw(gateway.url, { path: '/metrics', headers: { Authorization: 'Bearer ada' } });
    return Number(/^slipway_gateway_call_duration_seconds_count\{.*server="lib".*\} (\d+)/m.exec(text)?.[1]);
  };
  const before = await answered();
  audited.length = 0;
  const answer = send({ id: 'mine', method: 'tools/call', params: { name: 'lib__long' } }).catch(() => undefined);
  await eventually(async () => (await answered()) > before);
  await send({ method: 'notifications/cancelled', params: { requestId: 'mine' } });
  await answer;
  const trace = await eventually(() => audited.find(({ kind }) => kind === 'tool_call_trace'));
  expect(trace.outcome).toBe('cancelled');
});

test('what a server says of a failure is guarded like what it answers', async () => {
  await using ada = await client(`${gateway.url}/projects/guard/mcp`, 'ada');
  await expect(ada.callTool({ name: 'lib__refusing', arguments: {} })).rejects.toThrow(/\[redacted\] \[redacted:aws/);
});

test('bytes are passed over only where MCP has bytes', () => {
  const key = `AKIA${'ABCD'.repeat(4)}`;
  const result = {
    content: [
      { type: 'resource', resource: { uri: 'x:y', blob: key } },
      { type: 'image', data: key },
    ],
    structuredContent: { file: { blob: key }, picture: { type: 'image', data: key } },
  };
  expect(redactValue(result)).toMatchObject({ count: 2, value: { content: result.content } });
});
