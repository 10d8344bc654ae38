/** What people read, for states that are hard to bring about on every host. */
import { expect, test } from 'vitest';
import { driftLines, serverRow, waitingLines } from '../../cli/print/status.ts';
import { serverSections } from '../../cli/print/server.ts';
import { plain } from '../../cli/print/plain.ts';
import { bytesText, secondsText } from '../../cli/print/size.ts';
import { resourceTable, rowForEach } from '../../cli/print/resources.ts';
import { table } from '../../cli/print/table.ts';
import { parseFile } from '../../schemas/parse.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Condition, ServerStatus, Status } from '../../schemas/status.ts';

const condition = (type: Condition['type'], status: Condition['status'], message: string): Condition => ({
  type,
  status,
  reason: 'Because',
  message,
  lastTransitionTime: new Date().toISOString(),
});

const SERVER: ServerStatus = {
  name: 'db',
  address: 'Server/db',
  runtime: 'docker',
  enabled: true,
  transport: 'stdio',
  conditions: [
    condition('Ready', 'True', '3 tools'),
    condition('Isolated', 'False', 'its network is that of this host'),
    condition('Drifted', 'True', 'slipway-db-0a1b2c3d-0: its image is another'),
  ],
  instances: [
    {
      name: 'slipway-db-0a1b2c3d-0',
      state: 'running',
      hash: '0a1b2c3d',
      runs: 'example/db:1',
      restarts: 2,
      lastError: 'it was ended by SIGKILL',
      drift: ['its image is another'],
      exposed: ['its network is that of this host'],
      stats: { cpuSeconds: 200, memoryBytes: 300 * 2 ** 20, memoryLimitBytes: 512 * 2 ** 20, pids: 12 },
    },
  ],
};

const STATUS = { servers: [SERVER], tokens: [], workspaces: [] } as unknown as Status;

test('describe tells what an instance runs and uses, its limit, what ails it, and what is not in force', () => {
  const text = serverSections(SERVER, { egress: 'none' }, ['10:00 stderr no more memory']).join('\n\n');
  expect(text).toMatch(/slipway-db-0a1b2c3d-0 +example\/db:1 +running +- +2 +- +3m20s +300Mi of 512Mi +12\n/);
  expect(text).toContain('slipway-db-0a1b2c3d-0: last error: it was ended by SIGKILL\n');
  expect(text).toContain('slipway-db-0a1b2c3d-0: drifted: its image is another');
  expect(text).toContain('Isolation\n  egress: none\n  exposed: its network is that of this host\n');
  expect(text).toContain('Last lines of its log\n  10:00 stderr no more memory');
});

test('describe says so where all of it is in force, and nothing where nobody asked', () => {
  const conditions = [condition('Ready', 'True', ''), condition('Isolated', 'True', 'as asked')];
  const whole = { ...SERVER, conditions, instances: [] };
  expect(serverSections(whole, { sandbox: 'strict' }, []).join('\n')).toContain(
    'Isolation\n  sandbox: strict\n  shut in as far as its runtime can',
  );
  const bare = { ...whole, conditions: conditions.slice(0, 1) };
  expect(serverSections(bare, undefined, []).join('\n')).not.toContain('Isolation\n');
});

test('describe tells what it speaks, how the gateway stands with it, and which lists clients did without', () => {
  const upstreams = [
    {
      id: 'db-0',
      transport: 'http',
      connected: true,
      session: true,
      inFlight: 2,
      calls: 7,
      errors: 1,
      perSecond: 0.5,
      breaker: 'closed',
    },
    {
      id: 'db-1',
      transport: 'http',
      for: 'next',
      connected: false,
      inFlight: 0,
      calls: 3,
      errors: 3,
      perSecond: 0,
      breaker: 'open',
      lastError: 'It cannot be reached.',
    },
  ] as const;
  const unlisted = { prompts: 'It did not answer within 10000 ms.' };
  const known: ServerStatus = { ...SERVER, era: 'modern', upstreams: [...upstreams], unlisted };
  const text = serverSections(known, undefined, []).join('\n\n');
  expect(text).toContain('Protocol\n  MCP 2026-07-28, over stdio');
  expect(text).toMatch(/db-0 +http +with a session +2 +7 \(1 failed\) +closed +-\n/);
  expect(text).toMatch(/db-1 for the next client +http +no +0 +3 \(3 failed\) +open +It cannot be reached\.\n/);
  expect(text).toContain('prompts: It did not answer within 10000 ms.');
});

test('status tells what drifted', () => {
  expect(driftLines({ servers: [SERVER] })).toEqual(['Drifted  db: slipway-db-0a1b2c3d-0: its image is another']);
  expect(driftLines({ servers: [{ ...SERVER, conditions: [] }] })).toEqual([]);
});

test('status tells what waits, and for what', () => {
  const told = (type: Condition['type'], reason: string, message: string): Condition => ({
    type,
    status: 'True',
    reason,
    message,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  const ready = told('Ready', 'Succeeded', 'it serves');
  const server = (name: string, ...conditions: Condition[]): ServerStatus => ({ ...SERVER, name, conditions });
  const servers = [
    server('db', ready, told('Suspended', 'Suspended', 'suspended by Server/db (db.yaml:6): what runs is left alone')),
    server('web', ready, told('Reconciling', 'OutsideWindow', 'it waits for its window at 22:00')),
    server('app', told('Reconciling', 'DependencyNotReady', 'it waits for db to be ready')),
    server('new', told('Reconciling', 'Progressing', 'it is starting')),
  ];
  expect(waitingLines({ ...STATUS, conditions: [], servers })).toEqual([
    'Waits    db: suspended by Server/db (db.yaml:6): what runs is left alone',
    'Waits    web: it waits for its window at 22:00',
    'Waits    app: it waits for db to be ready',
  ]);
  expect(servers.map((each) => serverRow(each).at(-1))).toEqual([
    'Succeeded, Suspended',
    'Succeeded, OutsideWindow',
    'DependencyNotReady',
    '',
  ]);
  const whole = told('Suspended', 'Suspended', 'suspended by Gateway/main (g.yaml:5): what runs is left alone');
  expect(waitingLines({ ...STATUS, conditions: [whole], servers })).toEqual([
    'Waits    suspended by Gateway/main (g.yaml:5): what runs is left alone',
    'Waits    web: it waits for its window at 22:00',
    'Waits    app: it waits for db to be ready',
  ]);
});

test('terminal injection: names from servers and clients are printed, not obeyed', () => {
  const name = '\u001B[2Jx\u202Etxt.\u001B]0;title\u0007\r\nyes';
  expect(plain(name)).toBe('\\u{1b}[2Jx\\u{202e}txt.\\u{1b}]0;title\\u{7}\\u{d}\\u{a}yes');
  expect(table(['tool'], [[name]]).split('\n')).toEqual(['TOOL', plain(name)]);
  expect(plain('Zoë – 日本語 👩‍👩‍👧')).toBe('Zoë – 日本語 👩‍👩‍👧');
});

test.each([
  [undefined, '-'],
  [0, '0'],
  [1023, '1023'],
  [1024, '1Ki'],
  [1.5 * 2 ** 30, '1.5Gi'],
  [64 * 2 ** 20, '64Mi'],
  [2 ** 50, '1024Ti'],
])('%s bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text));

test.each([
  [0.04, '0.0s'],
  [3.26, '3.3s'],
  [75, '75s'],
  [179.7, '3m0s'],
  [3661, '61m1s'],
])('%s seconds are %s', (seconds, text) => expect(secondsText(seconds)).toBe(text));

type Written = readonly [kind: string, name: string, spec: string];

function resources(...written: readonly Written[]): readonly Resource[] {
  const text = written.map(
    ([kind, name, spec]) => `apiVersion: slipway/v1
kind: ${kind}
metadata: { name: ${name} }
spec: ${spec}\n`,
  );
  const { resources: found, issues } = parseFile('all.yaml', Buffer.from(text.join('---\n')));
  expect(issues).toEqual([]);
  return found;
}

test('a table of servers has a row for each, also for one that is switched off', () => {
  const found = resources(
    ['Server', 'db', '{ image: "example/db:1" }'],
    ['Server', 'off', '{ enabled: false, image: "example/db:1" }'],
  );
  const { head, rows } = resourceTable(found, STATUS, false);
  expect(head).toEqual(['name', 'ready', 'state', 'tools', 'reason', 'age']);
  expect(rows).toEqual([
    ['db', 'True', '1 running', '-', 'Because', '-'],
    ['off', '-', 'disabled', '-', '-', '-'],
  ]);
  const wide = resourceTable(found, STATUS, true);
  expect(wide.rows.map((row) => row.length)).toEqual([wide.head.length, wide.head.length]);
});

test('kinds that are only read show what tells theirs apart, and no value of a secret', () => {
  const rows = (...written: readonly Written[]): readonly string[] => {
    const { head, rows: all } = resourceTable(resources(...written), STATUS, false);
    return [head.join(' '), ...all.map((row) => row.join(' '))];
  };
  expect(rows(['Project', 'dev', '{ servers: [a, b], discovery: lazy, pipeline: p }'])).toEqual([
    'name servers discovery gate pipeline plugin source',
    'dev a,b lazy - p - all.yaml:1',
  ]);
  expect(rows(['Secret', 's', '{ data: { token: { env: S_TOKEN }, key: { file: /x } } }'])[1]).toBe(
    's token,key - all.yaml:1',
  );
  expect(rows(['Pipeline', 'p', '{ stages: [{ type: paginate }, { type: toon }] }'])[1]).toContain('paginate,toon');
  expect(rows(['RoleBinding', 'b', '{ subjects: [{ kind: Token, name: ci }], role: viewer }'])[1]).toBe(
    'b viewer Token/ci - all.yaml:1',
  );
  expect(rows(['Project', 'dev', '{}'], ['User', 'ada', '{ email: ada@example.com }'])).toEqual([
    'kind name ready source',
    'Project dev - all.yaml:1',
    'User ada - all.yaml:6',
  ]);
});

test('what nothing is known of yet has a row all the same', () => {
  const found = resources(
    ['Budget', 'all', '{ window: day, calls: 1 }'],
    ['Budget', 'each', '{ window: day, calls: 1 }'],
  );
  const known = {
    head: ['name', 'of', 'calls'],
    rows: [
      ['each', 'token:a', '1/1'],
      ['each', 'token:b', '0/1'],
    ],
  };
  expect(rowForEach(found, known).rows).toEqual([['all', '-', '-'], ...known.rows]);
});
