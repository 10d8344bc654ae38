/** What is carried over from each format, and what is told of the rest. */
import { describe, expect, test } from 'vitest';
import { imported } from './imported.ts';

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

  test('a token of a team server of which nothing is left that it may do is no member', async () => {
    const tokens = [{ scopes: ['moons'] }, { scopes: [] }, { scopes: ['search'] }];
    const { specs, err } = await imported('team.json', {
      port: 9877,
      tokens: tokens.map((token, at) => ({ id: `t${at}`, sha256Hex: String(at).repeat(64), ...token })),
    });
    expect(Object.keys(specs)).toEqual(['Gateway/main', 'Token/t2']);
    expect(err).toContain('Token t0: was left out');
  });

  test('a team server: what it bears, its folders, and who may use it', async () => {
    const sha256Hex = 'AB'.repeat(32);
    const { specs, err } = await imported('team.json', {
      host: '0.0.0.0',
      port: 9877,
      maxBodyBytes: 2_097_152,
      maxRps: 50,
      rateBurst: 100,
      maxConcurrency: 32,
      requestTimeoutMs: 30_000,
      defaultWorkspaceId: 'main',
      workspaces: [
        { id: 'main', root: '/srv', label: 'Everything' },
        { id: 'near', root: 'here' },
      ],
      tokens: [{ id: 'ada', sha256Hex, scopes: ['search', 'sessionmutations'], role: 'contributor' }],
    });
    expect(specs['Gateway/main']).toEqual({
      listen: '0.0.0.0:9877',
      maxBodySize: '2097152',
      limits: { rate: { perSecond: 50, burst: 100 }, concurrency: 32, timeout: '30000ms' },
    });
    expect(specs['Workspace/main']).toEqual({ description: 'Everything', path: '/srv' });
    expect(specs['Token/ada']).toMatchObject({
      sha256: sha256Hex,
      roles: ['member'],
      scopes: ['search', 'sessionMutations'],
    });
    expect(err).toContain('Workspace near: its root is no absolute path');
    expect(err).toContain('defaultWorkspaceId was left out');
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

  test('docker compose: a command in one text is split as a shell does', async () => {
    const split = async (command: string) => {
      const yaml = `services: { web: { image: example/web:1, command: ${JSON.stringify(command)} } }`;
      return ((await imported('compose.yaml', yaml)).specs['Server/web'] as { args?: string[] }).args;
    };
    expect(await split('serve  --root /srv')).toEqual(['serve', '--root', '/srv']);
    expect(await split(String.raw`--name "Ada \"L\" \n" --greeting='it is' a\ b "" x'y'"z"`)).toEqual([
      '--name',
      String.raw`Ada "L" \n`,
      '--greeting=it is',
      'a b',
      '',
      'xyz',
    ]);
    expect(await split('   ')).toBeUndefined();
  });

  test('a file that is not there', async () => {
    const { code, err } = await imported('nope.json', undefined);
    expect([code, err]).toEqual([1, expect.stringMatching(/ENOENT.*\[path-not-found\]\n.*may be read/)]);
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
