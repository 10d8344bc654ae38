/** `slipway import`: what others keep about MCP servers, as YAML that Slipway takes, and a word on whatever is not the same. */
import { describe, expect, test } from 'vitest';
import { imported } from './imported.ts';

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
