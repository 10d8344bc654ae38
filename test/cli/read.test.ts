/** Reading a running Slipway as somebody who knows kubectl would: get, describe, explain, events, logs, status, top. */
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { run } from '../../cli/run.ts';
import { ofProject } from '../../cli/read/choose.ts';
import type { EventRow } from '../../schemas/operate.ts';
import { parseFile } from '../../schemas/parse.ts';
import { cli, type Said } from '../helpers/cli.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { eventually } from '../helpers/until.ts';

const resource = (kind: string, name: string, spec: string): string =>
  `apiVersion: slipway/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`;

const FILES = {
  'gateway.yaml': GATEWAY,
  'hello.mjs': HELLO_PROGRAM,
  'hello.yaml': helloServer('hello').replace('name: hello }', 'name: hello, labels: { team: core } }'),
  // What it says would clear the screen.
  'boom.mjs': "console.error('\\u001b[2Jno database at 10.0.0.1'); process.exit(3);\n",
  'boom.yaml': helloServer('boom').replaceAll('hello.mjs', 'boom.mjs'),
  'rest.yaml': [
    resource('Project', 'dev', '{ servers: [hello] }'),
    resource('Budget', 'daily', '{ window: day, calls: 100 }'),
  ].join('---\n'),
};

describe('a running Slipway', { timeout: 120_000 }, () => {
  let desk: Desk;
  const said = (...args: string[]): Promise<Said> =>
    cli(args, { cwd: desk.config, env: { SLIPWAY_STATE_DIR: desk.state } });
  const json = async (...args: string[]): Promise<unknown> =>
    JSON.parse((await said(...args, '-o', 'json')).out) as unknown;

  beforeAll(async () => {
    desk = new Desk();
    desk.push({ ...FILES, 'rest.yaml': '' }, 'Add servers');
    desk.push(FILES, 'Add the rest');
    await desk.up();
    await said('sync', '--wait');
    for (const name of ['Ada', 'Bob'])
      expect((await said('call', 'hello', 'hello', `{"name":"${name}"}`)).code).toBe(0);
  }, 120_000);
  afterAll(() => desk[Symbol.asyncDispose]());

  test('get: labels and projects hold for instances too', async () => {
    expect((await said('get', 'inst', '-l', 'team=core')).out).toMatch(/\nslipway-hello-\w+-0 +hello +running/);
    expect(await said('get', 'inst', '-l', 'team!=core')).toMatchObject({ code: 0, out: '', err: 'There is none.' });
    expect((await said('get', 'instances', '-p', 'dev', '-o', 'name')).out).toMatch(/^slipway-hello-\w+-0$/);
    expect((await said('get', 'instances', 'hello', '-o', 'wide')).out).toMatch(
      /RUNS +REV +LAST ERROR\n.* node +[0-9a-f]{8} +-$/,
    );
    expect((await said('get', 'instances', 'hallo')).err).toContain(
      'There is no instance named hallo. [not-found]\nhint: Did you mean hello?',
    );
    expect((await said('get', 'orphans', '-l', 'a=b')).code).toBe(64);
  });

  test('get: all that belongs to a project, as it can be applied elsewhere', async () => {
    const { out } = await said('get', 'all', '-p', 'dev', '-o', 'yaml');
    const kinds = parseAllDocuments(out).map((document) => (document.toJS() as { kind: string }).kind);
    expect(kinds.sort()).toEqual(['Project', 'Server']);
    expect(parseFile('all.yaml', Buffer.from(out)).issues).toEqual([]);
    expect((await said('get', 'all', '-p', 'de')).err).toContain('hint: Did you mean dev?');
  });

  test('get: wide tells the revision that runs', async () => {
    const [head = '', ...rows] = (await said('get', 'servers', '-o', 'wide')).out.split('\n');
    expect(head).toMatch(/^NAME +READY +STATE +TOOLS +REASON +AGE +TRANSPORT +RUNS +REV +SOURCE +LABELS$/);
    expect(rows[1]).toMatch(
      /^hello +True +1 running +1 +Succeeded +\w+ +stdio +node +[0-9a-f]{8} +hello\.yaml:1 +team=core$/,
    );
  });

  test('describe: last change, tools, who refers to whom, events; as data with all that is known', async () => {
    const { out } = await said('describe', 'server', 'hello');
    expect(out).toMatch(
      /^Server\/hello {2}\(hello\.yaml:1\)\n\nLast change\n {2}[0-9a-f]{12} Add servers, by Ada <ada@example\.com>, \w+ ago\n/,
    );
    for (const part of [
      '\nConditions\n',
      '\nTools\n  hello\n',
      '\nReferences\n  referred to by Project/dev\n',
      '\nLabels\n  team=core\n',
    ])
      expect(out).toContain(part);
    expect(out).toMatch(
      /\nEvents\n +LAST SEEN +TYPE +REASON +MESSAGE\n(.*\n)* +\w+ +Normal +Started +slipway-hello-\w+-0: it runs/,
    );
    expect((await said('describe', 'project/dev', 'budget/daily')).out).toMatch(
      /^Project\/dev .*\n\nLast change\n {2}\w+ Add the rest,(.*\n)+\n\nBudget\/daily .*\n(.*\n)+Usage\n +NAME/,
    );
    expect(await json('describe', 'server/hello')).toMatchObject({
      kind: 'Server',
      status: { era: 'legacy', instances: [{ state: 'running' }] },
      source: { file: 'hello.yaml', line: 1, change: { subject: 'Add servers' } },
      references: { to: [], from: ['Project/dev'] },
    });
    expect(await json('describe', 'servers')).toHaveLength(2);
    expect((await said('describe', 'server', 'hallo')).err).toContain('hint: Did you mean hello?');
  });

  test('explain: why a server fails, where it is wanted, and what to do', async () => {
    const { out } = await said('explain', 'server/boom');
    expect(out).toMatch(/^Server\/boom is not ready: NotReady: .*no database.*\nWhat to do: See `slipway logs/);
    expect(out).toMatch(/\nIt is wanted because it stands at boom\.yaml:1, last changed in \w+ Add servers, by Ada/);
    expect(out).toMatch(/\nThe last lines of its log\n(.*\n)* .*stderr .*no database at 10\.0\.0\.1\n/);
    const well = (await said('explain', 'srv', 'hello')).out;
    expect(well).toMatch(/^Server\/hello is ready: Succeeded/);
    expect(well).toMatch(/used by Project\/dev\.\n(.*\n)*Its instances: 1 of revision [0-9a-f]{8} \(node\)/);
    expect((await said('explain', 'project', 'dev')).out).toContain('It needs Server/hello.');
    expect((await said('explain', 'budget/daily')).out).toContain('2 % of it is used');
  });

  test('terminal injection: what a server writes is shown, and not obeyed', async () => {
    for (const args of [
      ['status'],
      ['describe', 'server', 'boom'],
      ['explain', 'server/boom'],
      ['events'],
      ['get', 'all'],
    ]) {
      const { out } = await said(...args);
      expect(out, args[0]).not.toContain('\u001b');
      if (args[0] !== 'get') expect(out).toContain('\\u{1b}[2Jno database');
    }
  });

  test('events: what went wrong, of one server, since a time', async () => {
    const about = (await json('events', 'server', 'boom')) as EventRow[];
    expect(about.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['Added', 'Crashed', 'NotReady', 'Stopped']),
    );
    expect(new Set(about.map((event) => event.about))).toEqual(new Set(['Server/boom']));
    const bad = (await json('events', '--warnings')) as EventRow[];
    expect(new Set(bad.map(({ type }) => type))).toEqual(new Set(['Warning']));
    expect(await said('events', '--since', '2100-01-01')).toMatchObject({ code: 0, out: '', err: 'Nothing happened.' });
    expect((await said('events')).out).toMatch(
      /^LAST SEEN +TYPE +REASON +ABOUT +MESSAGE\n\w+ +Normal +Started +Slipway +slipway /,
    );
    expect((await said('events', '--since', 'soon')).err).toContain('since must be a date');
  });

  test('logs: by index, by number of lines, by age, and for what has none', async () => {
    const all = (await said('logs', 'server/boom')).out;
    expect(all).toMatch(/stderr .*no database/);
    expect((await said('logs', 'boom', '--since', '1h')).out).toBe(all);
    expect((await said('logs', 'boom', '--since', '2100-01-01')).out).toBe('');
    expect((await said('logs', 'boom', '--since', '1h', '--tail', '1')).out.split('\n')).toHaveLength(1);
    expect((await said('logs', 'hallo')).err).toContain(
      'There is no Server named hallo. [not-found]\nhint: Did you mean hello?',
    );
    expect((await said('logs', 'hello', '-i', '7')).err).toContain('with index 7');
    expect((await said('logs', 'project/dev')).code).toBe(64);
  });

  test('status: one screen', async () => {
    const { out, code } = await said('status');
    expect(code).toBe(1);
    for (const line of [
      /^Not ready: failed: boom/,
      /\nSource +\S+, looked at \w+ ago, reached \w+ ago\n/,
      /\nApplied +[0-9a-f]{12} Add the rest, by Ada <ada@example\.com>, \w+ ago\n/,
      /\nGateway +http:\S+\/mcp, [\d.]+ calls\/s, 0 in flight, p95 up to [\d.]+ ms; 2 of what runs now, 0 failed\n/,
      /\nServers +2: 1 not ready, 1 ready; instances: 1 running\n/,
      /\nError +\w+ ago Server\/boom \w+: .*no database/,
      /\nSERVER +READY/,
    ])
      expect(out).toMatch(line);
  });

  test('top: what instances use and have to do', async () => {
    const { out } = await said('top', 'hel*');
    expect(out).toMatch(/\nslipway-hello-\w+-0 +running +[\d.]+% +\d+Mi +- +\d+ +0\.03 +[\d.]+ms +0 +0$/);
    expect(await json('top', 'hello')).toMatchObject([{ server: 'hello', calls: 2, inFlight: 0 }]);
    expect((await said('top', 'hallo')).err).toContain('Did you mean hello?');
  });

  test('watch and follow: a commit shows as it is applied', async () => {
    await using rows = following(desk, 'get', 'servers', '--watch');
    await using names = following(desk, 'get', 'srv', 'hello', '-w', '-o', 'name');
    await using happened = following(desk, 'events', '-f', '--since', '2100-01-01');
    await using lines = following(desk, 'logs', 'boom', '-f', '--since', '2100-01-01');
    await eventually(() => rows.out.length === 3 && names.out.length === 1);
    expect(rows.out[0]).toMatch(/^NAME +READY/);
    const before = rows.out.length;
    desk.push(
      {
        'hello.yaml': `${FILES['hello.yaml']}  replicas: 2\n`,
        'boom.yaml': undefined,
      },
      'Say hey',
    );
    await said('sync', '--wait');
    await eventually(() => rows.err.includes('(boom is gone)') && rows.out.length > before);
    expect(rows.out.length).toBeGreaterThan(before);
    expect(rows.out.slice(before).every((row) => row.startsWith('hello '))).toBe(true);
    expect(names.out).toEqual(['server/hello']);
    expect(lines.out).toEqual([]);
    expect(happened.out).toEqual([]); // They are older than what was asked for.
    expect((await said('events')).out).toMatch(/Normal +Applied +Slipway +\w+ Say hey by Ada/);
  });

  test('what is only read cannot be watched', async () => {
    expect(await said('get', 'servers', '--local', '-w')).toMatchObject({ code: 64, out: '' });
  });
});

/** A command that goes on until this is disposed. */
function following(desk: Desk, ...args: string[]): { out: string[]; err: string[] } & AsyncDisposable {
  const [out, err]: [string[], string[]] = [[], []];
  const stop = new AbortController();
  const ended = run(args, {
    input: Readable.from([]),
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    env: { SLIPWAY_STATE_DIR: desk.state },
    cwd: desk.config,
    signal: stop.signal,
    paint: (_, text) => text,
    log: () => {},
  });
  return {
    out,
    err,
    async [Symbol.asyncDispose]() {
      stop.abort();
      expect(await ended).toBe(130);
    },
  };
}

test('a project holds what it names, what that needs, and what is about it', () => {
  const text = [
    resource('Server', 'a', '{ command: [x], env: [{ name: T, valueFrom: { secretRef: { name: s, key: t } } }] }'),
    resource('Server', 'b', '{ command: [x] }'),
    resource('Secret', 's', '{ data: { t: { env: T } } }'),
    resource('Project', 'p', '{ servers: [a] }'),
    resource('Project', 'q', '{ servers: [b] }'),
    resource('Token', 't', `{ sha256: ${'a'.repeat(64)}, projects: [p] }`),
  ].join('---\n');
  const { resources, issues } = parseFile('all.yaml', Buffer.from(text));
  expect(issues).toEqual([]);
  expect(ofProject(resources, 'p').map(({ metadata }) => metadata.name)).toEqual(['a', 's', 'p', 't']);
});
