/** What every command has in common: how it talks, what it says of mistakes, and how it ends. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GLOBAL_OPTIONS } from '../../cli/command.ts';
import { COMMANDS } from '../../cli/commands/index.ts';
import { quietOrLoud, type Io } from '../../cli/io.ts';
import { Logger } from '../../cli/log.ts';
import { cli, type Said } from '../helpers/cli.ts';
import { MAIN } from '../helpers/slipway.ts';
import { tempDir } from '../helpers/temp.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-shell-'));
  writeFileSync(
    join(folder, 'srv.yaml'),
    'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: github }\nspec: { command: [node] }\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Somewhere where no Slipway runs. */
const said = (...args: string[]): Promise<Said> =>
  cli(args, { cwd: folder, env: { XDG_STATE_HOME: join(folder, 'none') } });

describe('mistakes', () => {
  test.each([
    ['gett servers', 'There is no command gett.', 'Did you mean get?'],
    ['rollout undo server hello', 'There is no command rollout.', 'slipway rollback'],
    ['help gett', 'There is no command gett.', 'Did you mean get?'],
    ['get servers --outptu json', 'Unknown option', 'Did you mean --output?'],
    ['get servers -o xml', 'Allowed choices are table, wide, json, yaml, name.', 'See `slipway get --help`.'],
    ['get', 'Missing required argument', 'See `slipway get --help`.'],
    ['audit qery', 'There is no `audit qery`', 'Did you mean query?'],
    ['call a b nojson', 'JSON', ''],
    ['up --interval soon', '--interval soon', ''],
    ['up --interval 0s', '--interval 0s', '100ms'],
    ['logs x --tail many', '--tail', ''],
    ['edit server github --local --no-input', 'nknown option', ''],
    ['edit server github --no-input', 'An editor asks for input.', 'slipway patch'],
    ['get srvs --local', 'There is no kind srvs. [unknown-kind]', 'Did you mean srv?'],
    ['explain server.htp', 'Server has no field spec.htp. [unknown-field]', 'Did you mean http?'],
    ['get server/ --local', 'not of the form kind/name', 'See `slipway get --help`.'],
  ])('%s: exit 64, what is wrong, and what to do', async (line, what, next) => {
    const { code, out, err } = await said(...line.split(' '));
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toMatch(/^error: .* \[(usage|unknown-kind|unknown-field)\]\nhint: \S/);
    expect(err).toContain(what);
    expect(err).toContain(next);
  });

  test.each([
    ['get servers githb --local', 'not-found', 'Did you mean github?'],
    ['status', 'not-running', 'slipway up'],
    ['validate nowhere', '', ''],
    ['import nothing.json', 'path-not-found', ''],
  ])('%s: exit 1, a code, and what to do', async (line, code, next) => {
    const result = await said(...line.split(' '));
    expect({ code: result.code, out: result.out }).toEqual({ code: 1, out: '' });
    expect(result.err).toMatch(/\[[a-z-]+\]\nhint: \S/);
    expect(result.err).toContain(code);
    expect(result.err).toContain(next);
  });

  test.each([
    ['rollout undo server it', '`slipway rollback`'],
    ['rollout status server it', '`slipway sync --wait`'],
    ['rollout restart server it', '`slipway sync --retry`'],
    ['scale server it --replicas=3', 'patch server <name> replicas=3'],
    ['api-resources', '`slipway explain`'],
    ['cp a b', 'slipway explain server.files'],
    ['get pods', 'Did you mean instances?'],
    ['get deploy', 'Did you mean servers?'],
    ['get ns', 'Did you mean projects?'],
    ['get events', '`slipway events`'],
    ['describe inst it', '`slipway get instances` lists them.'],
    ['create deployment it --image=x', 'Did you mean servers?'],
    ['create configmap it --from-literal=a=b', 'Did you mean secrets?'],
    ['create secret it --from-literal=a=b', '`slipway secret encrypt'],
    ['get servers -n prod', 'There are no namespaces'],
    ['get servers --all-namespaces', 'There are no namespaces'],
    ['get servers --sort-by=.metadata.name', '`-o json | jq'],
    ['get servers -o jsonpath={.items[*].metadata.name}', '`-o json | jq'],
    ['get servers -o custom-columns=A:.b', '`-o json | jq'],
    ['get servers -o yml', 'Did you mean yaml?'],
    ['delete servers --all', 'nothing is deleted that nobody named'],
    ['create plugin it --file a.ts', '--spec.file a.ts'],
  ])('who knows kubectl and writes %s is told Slipway’s words', async (line, hint) => {
    const { code, out, err } = await said(...line.split(' '));
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toContain(`\nhint: `);
    expect(err.split('\nhint: ')[1]).toContain(hint);
  });

  test('--dry-run=client and =server are a dry run, =none is none', async () => {
    const create = (how: string): Promise<Said> =>
      said('create', 'server', 'dry', '--url', 'https://dry.example.com/mcp', how, '-o', 'yaml');
    expect((await create('--dry-run=client')).out).toContain('name: dry');
    expect(await create('--dry-run=server')).toEqual(await create('--dry-run=client'));
    expect((await create('--dry-run=none')).code).toBe(0);
    expect((await said('delete', 'server', 'dry')).code).toBe(0);
    expect((await create('--dry-run=all')).code).toBe(64);
  });

  test('a stack only with --debug, which may stand anywhere', async () => {
    for (const line of ['get srvs --local', 'status', 'plan --repo nowhere', 'get --nope'])
      expect((await said(...line.split(' '))).err, line).not.toMatch(/\n\s+at /);
    expect((await said('--debug', 'get', 'srvs', '--local')).err).toMatch(/\n\s+at .*select\.ts/);
    expect((await said('get', 'srvs', '--local', '--debug')).err).toMatch(/\n\s+at .*select\.ts/);
    // What is not ours to read is data.
    expect((await said('get', 'srvs', '--local', '--', '--debug')).err).not.toMatch(/\n\s+at /);
  });
});

describe('exit codes', () => {
  const planned = async (content: string): Promise<Said> => {
    using repo = tempDir();
    writeFileSync(repo.at('x.yaml'), content);
    return await said('plan', '--repo', repo.path);
  };
  const server = (spec: string): string =>
    `apiVersion: slipway/v1\nkind: Server\nmetadata: { name: it }\nspec: ${spec}\n`;

  test('0: fine, 1: an error, 2: changes, 3: blocked, 64: wrong usage', async () => {
    expect((await planned('')).code).toBe(0);
    const bad = await planned(server('{ comand: [x] }'));
    expect(bad.code).toBe(1);
    expect(bad.err).toMatch(/x\.yaml:4:\d+: unknown-field: .*\n +hint: Did you mean command\?/);
    expect((await planned(server('{ command: [x] }'))).code).toBe(2);
    const blocked = await planned(server('{ image: "example/x:1.0", isolation: { privileged: true } }'));
    expect(blocked.code).toBe(3);
    expect(blocked.out).toMatch(/blocked \(unsafe-feature\).*\n +to allow it: /);
    expect((await said('plan', 'too', 'many')).code).toBe(64);
  });
});

describe('every command', () => {
  test.each(Object.keys(COMMANDS))('%s: --help has the global options', async (name) => {
    const { code, out } = await said(name, '--help');
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^Usage: slipway ${name} `));
    for (const { flags } of GLOBAL_OPTIONS) expect(out).toContain(flags);
  });

  test('the version has a flag of its own', async () => {
    expect((await said('--version')).out).toBe((await said('version')).out);
    expect((await said('-V')).out).toContain('slipway ');
  });

  test('without a command, all of them', async () => {
    const { code, out } = await said();
    expect(code).toBe(0);
    for (const name of Object.keys(COMMANDS)) expect(out).toContain(`\n  ${name} `);
    expect((await said('--verbose')).out).toBe(out);
  });
});

describe('talk', () => {
  test('--quiet keeps data and errors', async () => {
    writeFileSync(join(folder, 'mcp.json'), '{ "mcpServers": { "it": { "command": "x" } } }');
    const [talk, quiet] = [await said('import', 'mcp.json'), await said('import', 'mcp.json', '--quiet')];
    expect(quiet.out).toBe(talk.out);
    expect(talk.err).toContain('Read as the config of an MCP client');
    expect(quiet.err).toBe('');
    expect((await said('--quiet', 'import', 'none.json')).err).toContain('[path-not-found]');
  });

  test('--verbose says what is done, whatever the level of the log', () => {
    const lines: string[] = [];
    const logger = new Logger({ write: (line) => void lines.push(line), paint: (_, text) => text, debug: false });
    const io = { ...EMPTY, log: logger.log, logger };
    io.log('debug', 'before');
    quietOrLoud(io, { quiet: false, verbose: true, noInput: false }).log('debug', 'after');
    expect(lines.map((line) => line.split(' ').at(-1))).toEqual(['after']);
  });

  test('--no-input: nobody is asked', () => {
    const wishes = { quiet: false, verbose: false, noInput: true };
    expect(quietOrLoud({ ...EMPTY, confirm: async () => true }, wishes)).not.toHaveProperty('confirm');
    expect(quietOrLoud({ ...EMPTY, confirm: async () => true }, { ...wishes, noInput: false })).toHaveProperty(
      'confirm',
    );
  });

  const terminal = spawnSync('script', ['--version']).status === 0;
  test.skipIf(!terminal)('colours are for terminals, unless NO_COLOR is set', () => {
    const plan = (env: NodeJS.ProcessEnv): string => {
      const { FORCE_COLOR: _, NO_COLOR: __, CI: ___, ...rest } = process.env;
      const line = `'${process.execPath}' '${MAIN}' plan --repo '${folder}'`;
      return spawnSync('script', ['-qec', line, '/dev/null'], {
        env: { ...rest, TERM: 'xterm-256color', XDG_STATE_HOME: join(folder, 'none'), ...env },
        encoding: 'utf8',
      }).stdout;
    };
    const [coloured, bare] = [plan({}), plan({ NO_COLOR: '1' })];
    expect(coloured).toContain('\u001B[');
    expect(bare).toContain('Server/github');
    expect(bare).not.toContain('\u001B[');
  });

  test('output that goes nowhere is an error, and says why', () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'schema'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect([status, stderr]).toEqual([1, expect.stringContaining('the output cannot be written: ENOSPC')]);
  });
});

const EMPTY: Io = {
  input: Readable.from([]),
  out: () => {},
  err: () => {},
  env: {},
  cwd: '/',
  signal: new AbortController().signal,
  paint: (_, text) => text,
  log: () => {},
};
