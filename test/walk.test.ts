/** The walk for whoever knows kubectl, as it stands in its page: every command is run, and says what the page says. */
import { spawn } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { expect, test } from 'vitest';
import { Desk, Running } from './helpers/slipway.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'examples/kubectl-walk/README.md'), 'utf8');

interface Step {
  readonly line: string;
  readonly says: string;
}

const blocks = (language: string): string[] =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(([, text = '']) => text);

const steps: Step[] = blocks('console')
  .flatMap((block) => block.split(/^\$ /m).slice(1))
  .map((text) => ({
    line: text.slice(0, text.indexOf('\n')),
    says: text.slice(text.indexOf('\n') + 1).trimEnd(),
  }));

/** `…` on a line of its own is any number of lines, elsewhere anything; how far columns stand apart does not matter. */
function pattern(says: string): RegExp {
  const lines = says.split('\n').map((line) => {
    if (line === '…') return '(?:.*\n)*?';
    const parts = line.split('…').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll(/ +/g, ' +'));
    return `${parts.join('.*')} *\n`;
  });
  return new RegExp(`^${lines.join('')}$`);
}

test('the page can fail', () => {
  expect(pattern('a … c\n…\nz')).toEqual(expect.any(RegExp));
  expect('a  b c\n1\n2\nz\n').toMatch(pattern('a … c\n…\nz'));
  expect('a  b d\nz\n').not.toMatch(pattern('a … c\n…\nz'));
  expect('a c\nmore\n').not.toMatch(pattern('a c'));
  for (const word of ['get', 'describe', 'patch', 'rollback', 'client-config'])
    expect(
      steps.some(({ line }) => line.startsWith(`slipway ${word} `)),
      word,
    ).toBe(true);
});

test('a newcomer lists, describes, changes, rolls back and connects', { timeout: 300_000 }, async () => {
  await using desk = new Desk();
  cpSync(join(ROOT, 'examples/kubectl-walk'), join(desk.home, 'examples/kubectl-walk'), { recursive: true });
  const env = {
    ...desk.env(),
    HOME: desk.home,
    XDG_CONFIG_HOME: join(desk.home, 'xdg-config'),
    PATH: desk.path(),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
  };
  const shop = join(desk.home, 'shop');
  const bash = (line: string, cwd: string): Promise<string> =>
    new Promise((resolve) => {
      const child = spawn('bash', ['-c', `${line} 2>&1`], { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      child.once('close', () => resolve(said));
    });

  const [start = ''] = blocks('sh');
  expect(start).toMatch(/\nslipway up\n$/);
  expect(await bash(`{ ${start.replace(/slipway up\n$/, '')}}`, desk.home)).toBe('');
  // Any port, for the page's own may be taken here; and it looks when it is told to, however slow this machine is.
  const up = new Running(spawn('slipway', ['up', '--listen', '127.0.0.1:0', '--interval', '1h'], { cwd: shop, env }));
  try {
    await up.serving;
    for (const { line, says } of steps) {
      const said = await bash(line, shop);
      expect(`${said.trimEnd()}\n`, `$ ${line}`).toMatch(pattern(says));
    }
    // As the editor does: what stands in its file is started, and speaks MCP.
    const { mcpServers } = JSON.parse(readFileSync(join(shop, '.cursor/mcp.json'), 'utf8')) as {
      mcpServers: Record<string, { command: string; args: string[] }>;
    };
    const [entry] = Object.values(mcpServers);
    if (!entry) throw new Error('The editor was told nothing.');
    const client = new Client({ name: 'editor', version: '1' });
    await client.connect(new StdioClientTransport({ ...entry, cwd: shop, env: env as Record<string, string> }));
    expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual(['bye__hello', 'hello__hello']);
    const { content } = await client.callTool({ name: 'hello__hello', arguments: { name: 'Grace' } });
    expect(content).toEqual([{ type: 'text', text: 'Hello, Grace!' }]);
    await client.close();
  } finally {
    await up.stop();
  }
});
