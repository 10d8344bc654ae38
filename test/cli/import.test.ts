/** `slipway import`: what others keep about MCP servers, as YAML that Slipway takes, and a word on whatever is not the same. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { run } from '../../cli/run.ts';
import { parseFile } from '../../schemas/parse.ts';

interface Imported {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Specs by address. */
  readonly specs: Record<string, unknown>;
}

async function imported(file: string, content: unknown): Promise<Imported> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-import-'));
  const said = { out: '', err: '' };
  try {
    writeFileSync(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));
    const code = await run(['import', file], {
      input: Readable.from([]),
      out: (text) => void (said.out += `${text}\n`),
      err: (text) => void (said.err += `${text}\n`),
      env: {},
      cwd: folder,
      signal: new AbortController().signal,
      paint: (_, text) => text,
      log: () => {},
    });
    expect(parseFile('import.yaml', Buffer.from(said.out)).issues).toEqual([]);
    const specs = parseAllDocuments(said.out).map((document) => {
      const { kind, metadata, spec } = document.toJS() as { kind: string; metadata: { name: string }; spec: unknown };
      return [`${kind}/${metadata.name}`, spec];
    });
    return { code, ...said, specs: said.out === '' ? {} : (Object.fromEntries(specs) as Record<string, unknown>) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const entry = async (server: object): Promise<unknown> =>
  (await imported('.mcp.json', { mcpServers: { it: server } })).specs['Server/it'];

describe('the ways to run a program', () => {
  test.each([
    ['npx -y pkg@1.2.3 --x', { package: { npm: 'pkg', version: '1.2.3', args: ['--x'] } }],
    ['npx @scope/pkg@1.2.3', { package: { npm: '@scope/pkg', version: '1.2.3' } }],
    ['npx -y -p pkg@1.2.3 bin arg', { package: { npm: 'pkg', version: '1.2.3', bin: 'bin', args: ['arg'] } }],
    ['cmd /c npx -y pkg@1.2.3', { package: { npm: 'pkg', version: '1.2.3' } }],
    ['npx -y pkg', { command: ['npx', '-y', 'pkg'] }],
    ['npx -y pkg@latest', { command: ['npx', '-y', 'pkg@latest'] }],
    ['uvx thing==1.0', { package: { pypi: 'thing', version: '1.0' } }],
    ['uvx --from thing==1.0 serve x', { package: { pypi: 'thing', version: '1.0', bin: 'serve', args: ['x'] } }],
    ['uv tool run thing@1.0', { package: { pypi: 'thing', version: '1.0' } }],
    ['uvx thing[extra]==1.0', { command: ['uvx', 'thing[extra]==1.0'] }],
    ['docker run -i --rm example/mcp:1.0 --x', { image: 'example/mcp:1.0', args: ['--x'] }],
    [
      'docker run --rm -i -e MODE=fast --entrypoint=/bin/it example/mcp:1.0',
      { image: 'example/mcp:1.0', entrypoint: ['/bin/it'], env: [{ name: 'MODE', value: 'fast' }] },
    ],
    ['docker run --unheard-of x', { command: ['docker', 'run', '--unheard-of', 'x'] }],
    ['node server.mjs', { command: ['node', 'server.mjs'] }],
  ])('%s', async (line, spec) => {
    const [command, ...args] = line.split(' ');
    expect(await entry({ command, args })).toEqual(spec);
  });
});

describe('secrets never stand in the YAML', () => {
  const SECRET = 'ghp_0123456789abcdefghijABCDEFGHIJ012345';
  test.each([
    ['a name that says so', { command: 'x', env: { GITHUB_TOKEN: SECRET } }],
    ['a value that looks so', { command: 'x', env: { THING: SECRET } }],
    ['a header', { url: 'https://example.com/mcp', headers: { Authorization: `Bearer ${SECRET}` } }],
    ['another header', { url: 'https://example.com/mcp', headers: { 'X-Api-Key': SECRET, 'X-Team': 'a' } }],
    [
      'a header that sounds so',
      { url: 'https://example.com/mcp', headers: { Cookie: `sid=${SECRET}`, 'X-Team': 'a' } },
    ],
    ['a default', { command: 'x', env: { A_TOKEN: `\${TOKEN:-${SECRET}}` } }],
    ['an address with a password', { command: 'x', env: { DATABASE_URL: `postgres://me:${SECRET}@db/x` } }],
    ['a container’s variable', { command: 'docker', args: ['run', '-e', `TOKEN=${SECRET}`, 'example/mcp:1'] }],
  ])('%s', async (_, server) => {
    const { out, err, specs } = await imported('.mcp.json', { mcpServers: { it: server } });
    expect(out + err).not.toContain(SECRET);
    expect(Object.keys(specs).sort()).toEqual(['Secret/it', 'Server/it']);
  });

  test.each([
    [
      ['--api-key', 'hunter2', '--fast'],
      ['--api-key', '***', '--fast'],
    ],
    [
      ['--token=hunter2', 'API_KEY=hunter2'],
      ['--token=***', 'API_KEY=***'],
    ],
    [
      ['--header', 'Authorization: Bearer hunter2'],
      ['--header', 'Authorization: Bearer ***'],
    ],
    [['postgresql://me:hunter2@db/x'], ['postgresql://me:***@db/x']],
    [['https://example.com/?api_key=hunter2&b=1'], ['https://example.com/?api_key=***&b=1']],
    [
      ['--token', '${TOKEN:-hunter2}'],
      ['--token', '${TOKEN}'],
    ],
    [[SECRET], ['***']],
    [
      ['--header=Authorization: Bearer hunter2', 'TOKEN_TYPE=x', 'MODE_TOKEN=hunter2'],
      ['--header=Authorization: Bearer ***', 'TOKEN_TYPE=x', 'MODE_TOKEN=***'],
    ],
    [
      [
        '-c',
        `export API_KEY=hunter2 && it --password hunter2 --url=https://me:hunt@er2@h/${SECRET}/x  -H "X-Token: hunter2"`,
      ],
      ['-c', 'export API_KEY=*** && it --password *** --url=https://me:***@h/***/x  -H "X-Token: ***'],
    ],
    [
      ['--config', '{"apiKey": "hunter2", "mode": "fast"}'],
      ['--config', '{"apiKey": "***", "mode": "fast"}'],
    ],
    [[`https://${SECRET}@example.com/#access_token=hunter2`], ['https://***@example.com/#access_token=***']],
    [
      ['--token', 'hunter2${X}', 'sk-learn'],
      ['--token', '***', 'sk-learn'],
    ],
    [
      ['--token-file', '/run/t', '--no-auth', 'x', '/Users/Ada/Documents/2026/servers/index.mjs'],
      ['--token-file', '/run/t', '--no-auth', 'x', '/Users/Ada/Documents/2026/servers/index.mjs'],
    ],
    [
      ['--header', 'Authorization:${AUTH}'],
      ['--header', 'Authorization:${AUTH}'],
    ],
  ])('among arguments: %j', async (args, expected) => {
    const ways = {
      a: { command: 'x', args },
      b: { command: 'npx', args: ['-y', 'pkg@1.0.0', ...args] },
      c: { command: 'docker', args: ['run', '-i', 'example/mcp:1', ...args] },
    };
    const { specs, out, err } = await imported('.mcp.json', { mcpServers: ways });
    expect(out + err).not.toContain('hunter2');
    expect(specs['Server/a']).toMatchObject({ command: ['x', ...expected] });
    expect(specs['Server/b']).toMatchObject({ package: { args: expected } });
    expect(specs['Server/c']).toMatchObject({ args: expected });
    if (JSON.stringify(args) !== JSON.stringify(expected)) expect(err).toContain('what looks secret is ***');
  });

  test('nor in an address', async () => {
    const { specs } = await imported('.mcp.json', {
      mcpServers: { it: { url: 'https://example.com/mcp?token=hunter2&x=1' } },
    });
    expect(specs['Server/it']).toEqual({ url: 'https://example.com/mcp?token=***&x=1' });
  });

  test('two different values are asked for in two variables', async () => {
    const { specs, err } = await imported('.mcp.json', {
      mcpServers: {
        a: { command: 'x', env: { API_KEY: 'one' } },
        b: { command: 'x', env: { API_KEY: 'two' } },
        c: { command: 'x', env: { API_KEY: 'one' } },
        d: { command: 'x', env: { API_KEY: '${API_KEY}' } },
      },
    });
    const variables = ['a', 'b', 'c', 'd'].map((name) => specs[`Secret/${name}`]);
    const expected = ['API_KEY', 'B_API_KEY', 'API_KEY', 'API_KEY'];
    expect(variables).toEqual(expected.map((env) => ({ data: { API_KEY: { env } } })));
    expect(err).toContain('Server/d: $API_KEY is another value elsewhere');
  });

  test('a Secret that is there already keeps its values', async () => {
    const { specs } = await imported('mcpctl.json', {
      secrets: [{ name: 'it', data: { API_KEY: 'one' } }],
      servers: [
        { name: 'it', externalUrl: 'https://example.com/mcp' },
        { name: 'It', command: ['x'], env: [{ name: 'API_KEY', value: 'two' }] },
      ],
    });
    expect(specs['Secret/it']).toEqual({ data: { API_KEY: { env: 'IT_API_KEY' } } });
  });

  test('what refers to a value elsewhere goes on doing so', async () => {
    const env = { A: '${FROM_ENV}', B: '{file:/run/b}', C: '${input:my key}', D: 'x-${PART}', E: 'plain' };
    const { specs, err } = await imported('mcp.json', { servers: { it: { type: 'stdio', command: 'x', env } } });
    expect(specs['Secret/it']).toEqual({
      data: { A: { env: 'FROM_ENV' }, B: { file: '/run/b' }, C: { env: 'MY_KEY' }, D: { env: 'D' } },
    });
    expect(specs['Server/it']).toMatchObject({ env: [{}, {}, {}, {}, { name: 'E', value: 'plain' }] });
    expect(err).toContain('“my key”');
  });
});

describe('formats', () => {
  test('clients: what is switched off or only theirs is told', async () => {
    const { specs, err, code } = await imported('claude.json', {
      mcpServers: {
        My_Server: { command: 'x', autoApprove: ['a'], cwd: '/tmp' },
        'my-server': { command: 'y' },
        off: { command: 'z', disabled: true },
        far: { type: 'sse', url: 'http://127.0.0.1:9/sse' },
      },
    });
    expect(code).toBe(0);
    expect(Object.keys(specs)).toEqual(['Server/my-server', 'Server/my-server-2', 'Server/far']);
    expect(specs['Server/far']).toEqual({ url: 'http://127.0.0.1:9/sse', transport: 'sse', privateNetwork: true });
    for (const said of ['was called My_Server', 'autoApprove', 'cwd /tmp', 'off: was switched off'])
      expect(err).toContain(said);
  });

  test('opencode, and Codex’s TOML', async () => {
    const opencode = { mcp: { it: { type: 'local', command: ['npx', '-y', 'pkg@1.2.3'], enabled: true } } };
    expect((await imported('opencode.json', opencode)).specs['Server/it']).toEqual({
      package: { npm: 'pkg', version: '1.2.3' },
    });
    const codex = '[mcp_servers.it]\nurl = "https://example.com/mcp"\nbearer_token_env_var = "IT_TOKEN"\n';
    const { specs } = await imported('config.toml', codex);
    expect(specs['Server/it']).toEqual({
      url: 'https://example.com/mcp',
      auth: { bearer: { secretRef: { name: 'it', key: 'token' } } },
    });
    expect(specs['Secret/it']).toEqual({ data: { token: { env: 'IT_TOKEN' } } });
  });

  test('lazy-mcp: rules, tags and OAuth', async () => {
    const { specs, err } = await imported('servers.json', {
      servers: [
        {
          name: 'files',
          description: 'Files.',
          command: ['x'],
          tags: ['fs'],
          permissions: { rules: [{ pattern: 'rm*', action: 'deny' }], default: 'allow' },
        },
        { name: 'far', description: 'Far.', url: 'https://example.com/mcp', oauth: {} },
        {
          name: 'asks',
          description: 'Asks.',
          command: ['x'],
          permissions: { rules: [{ pattern: '*', action: 'ask' }] },
        },
      ],
      permissions: { rules: [{ server: '*', pattern: 'drop*', action: 'deny' }] },
      requestTimeout: 20_000,
      healthMonitor: { enabled: true },
    });
    expect(specs['Server/files']).toEqual({
      description: 'Files.',
      timeout: '20000ms',
      command: ['x'],
      permissions: { rules: [{ pattern: 'rm*', action: 'deny' }], default: 'allow' },
    });
    expect(specs['Server/far']).toMatchObject({ auth: { oauth: {} } });
    expect(specs['Gateway/main']).toEqual({
      permissions: { rules: [{ server: '*', pattern: 'drop*', action: 'deny' }] },
    });
    // A rule that cannot be carried over must not leave its server open.
    expect(specs).not.toHaveProperty('Server/asks');
    expect(err).toMatch(/Server\/asks: was left out: .*action/);
    expect(err).toContain('healthMonitor was left out');
  });

  test('a team server: who may use it', async () => {
    const sha256Hex = 'AB'.repeat(32);
    const { specs, err } = await imported('team.json', {
      host: '0.0.0.0',
      port: 9877,
      maxBodyBytes: 2_097_152,
      workspaces: [{ id: 'main', root: '/srv' }],
      tokens: [{ id: 'ada', sha256Hex, scopes: ['search', 'sessionmutations'], role: 'contributor' }],
    });
    expect(specs['Gateway/main']).toEqual({ listen: '0.0.0.0:9877', maxBodySize: '2097152' });
    expect(specs['Token/ada']).toMatchObject({
      sha256: sha256Hex,
      roles: ['member'],
      scopes: ['search', 'sessionMutations'],
    });
    expect(err).toContain('workspaces was left out');
  });

  test('an addon', async () => {
    const addon = `[addon]\nname = "repomix"\ndescription = "Packs."\n[mcp]\ncommand = "repomix"\nargs = ["--mcp"]\n[install]\nmanager = "npm"\npackage = "repomix"\nversion = "1.15.0"\n[capabilities]\nnetwork = "none"\n`;
    expect((await imported('addon.toml', addon)).specs['Server/repomix']).toEqual({
      description: 'Packs.',
      package: { npm: 'repomix', version: '1.15.0', bin: 'repomix', args: ['--mcp'] },
      isolation: { egress: 'none' },
    });
  });

  test('docker compose', async () => {
    const yaml = `services:\n  web:\n    image: example/web:1\n    ports: ["8080:3000"]\n    environment: { MODE: fast, API_KEY: abc123 }\n    volumes: ["/srv:/srv"]\n  built:\n    build: .\n`;
    const { specs, err } = await imported('compose.yaml', yaml);
    expect(specs['Server/web']).toEqual({
      image: 'example/web:1',
      transport: 'http',
      http: { port: 3000 },
      env: [
        { name: 'MODE', value: 'fast' },
        { name: 'API_KEY', valueFrom: { secretRef: { name: 'web', key: 'API_KEY' } } },
      ],
    });
    expect(err).toContain('volumes was left out');
    expect(err).toContain('built: has no image');
  });

  test.each([
    ['x.json', '{ "a": '],
    ['x.json', '{ "a": 1 }'],
    ['x.yaml', 'a: [1'],
    ['x.toml', 'a = = 1'],
    ['x.json', '[]'],
  ])('%s with %s is refused', async (file, content) => {
    expect(await imported(file, content)).toMatchObject({ code: 1, out: '' });
  });
});
