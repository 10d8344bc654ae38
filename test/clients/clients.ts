/** Other people's clients, each with what it is asked to do and what it must then say. None needs a model or an account. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { finish, type Run } from './run.ts';

export const MODULES = join(import.meta.dirname, 'node_modules');

/** Where and as whom to connect, and an empty home of its own. */
export interface Setting {
  readonly url: string;
  readonly token: string;
  readonly home: string;
}

export interface ClientRow {
  readonly name: string;
  /** The package whose version is shown, if it is not a dependency of the tests anyway. */
  readonly package: string;
  /** @returns what it said; must hold {@link says} */
  run(setting: Setting): Promise<string>;
  readonly says: RegExp;
}

const bin = (...path: string[]): string => join(MODULES, ...path);
const bearer = (token: string): string => `Authorization: Bearer ${token}`;
const node = (home: string, ...argv: string[]): Promise<string> => finish({ argv: [process.execPath, ...argv], home });

function inspector(name: string, ...more: string[]): ClientRow {
  const program = bin('@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  const call = ['--method', 'tools/call', '--tool-name', 'hello__hello', '--tool-arg', 'name=Inspector'];
  return {
    name,
    package: '@modelcontextprotocol/inspector',
    run: ({ url, token, home }) =>
      node(home, program, '--cli', url, '--transport', 'http', '--header', bearer(token), ...more, ...call),
    says: /Hello, Inspector!/,
  };
}

function sdk(mode: 'legacy' | 'auto'): ClientRow {
  return {
    name: `SDK v2 client, ${mode === 'auto' ? '2026-07-28' : 'legacy'}`,
    package: '@modelcontextprotocol/client',
    run: async ({ url, token }) => {
      const client = new ModernClient({ name: 'sdk-v2', version: '1' }, { versionNegotiation: { mode } });
      const requestInit = { headers: { Authorization: `Bearer ${token}` } };
      await client.connect(new ModernTransport(new URL(url), { requestInit }));
      const result = await client.callTool({ name: 'hello__hello', arguments: { name: client.getProtocolEra() } });
      await client.close();
      return JSON.stringify(result);
    },
    says: mode === 'auto' ? /Hello, modern!/ : /Hello, legacy!/,
  };
}

export const CLIENTS: readonly ClientRow[] = [
  {
    name: 'SDK v1 client',
    package: '@modelcontextprotocol/sdk',
    run: async ({ url, token }) => {
      const client = new Client({ name: 'sdk-v1', version: '1' });
      const transport = new StreamableHTTPClientTransport(new URL(url), {
        requestInit: { headers: { Authorization: `Bearer ${token}` } },
      });
      await client.connect(transport as Parameters<Client['connect']>[0]);
      const result = await client.callTool({ name: 'hello__hello', arguments: { name: 'SDK' } });
      await client.close();
      return JSON.stringify(result);
    },
    says: /Hello, SDK!/,
  },
  sdk('legacy'),
  sdk('auto'),
  inspector('MCP Inspector'),
  inspector('MCP Inspector, 2026-07-28', '--protocol-era', 'modern'),
  {
    name: 'mcporter',
    package: 'mcporter',
    run: ({ url, token, home }) => {
      const config = join(home, 'mcporter.json');
      const server = { baseUrl: url, headers: { Authorization: `Bearer ${token}` } };
      writeFileSync(config, JSON.stringify({ mcpServers: { gw: server } }));
      return node(home, bin('mcporter/dist/cli.js'), '--config', config, 'call', 'gw.hello__hello', 'name=porter');
    },
    says: /Hello, porter!/,
  },
  {
    name: 'mcp-remote (stdio to HTTP)',
    package: 'mcp-remote',
    run: ({ url, token, home }) => {
      const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
      const messages = [
        { id: 1, method: 'initialize', params: hello },
        { method: 'notifications/initialized' },
        { id: 2, method: 'tools/call', params: { name: 'hello__hello', arguments: { name: 'remote' } } },
      ];
      const input = messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
      const flags = ['--allow-http', '--transport', 'http-only', '--header', bearer(token)];
      const argv = [process.execPath, bin('mcp-remote/dist/proxy.js'), url, ...flags];
      return finish({ argv, home, input, until: /Hello, remote!/ });
    },
    says: /Hello, remote!/,
  },
  {
    name: 'Claude Code, mcp list',
    package: '@anthropic-ai/claude-code-linux-x64',
    run: async ({ url, token, home }) => {
      const claude = (...args: string[]): Run => ({
        argv: [bin('@anthropic-ai/claude-code-linux-x64/claude'), 'mcp', ...args],
        home,
        env: { DISABLE_AUTOUPDATER: '1', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
      });
      await finish(claude('add', '--transport', 'http', '-s', 'user', 'gw', url, '--header', bearer(token)));
      return finish(claude('list'));
    },
    says: /gw: .*✔ Connected|gw: .*✓ Connected/,
  },
  {
    name: 'Gemini CLI, mcp list',
    package: '@google/gemini-cli',
    run: async ({ url, token, home }) => {
      const gemini = bin('@google/gemini-cli/bundle/gemini.js');
      mkdirSync(join(home, '.gemini'));
      writeFileSync(join(home, '.gemini/trustedFolders.json'), JSON.stringify({ [home]: 'TRUST_FOLDER' }));
      await node(home, gemini, 'mcp', 'add', '-s', 'user', '--transport', 'http', '-H', bearer(token), 'gw', url);
      return node(home, gemini, 'mcp', 'list');
    },
    says: /gw: .*Connected/,
  },
  {
    name: 'opencode, mcp list',
    package: 'opencode-linux-x64',
    run: ({ url, token, home }) => {
      const gw = { type: 'remote', url, headers: { Authorization: `Bearer ${token}` }, oauth: false };
      writeFileSync(join(home, 'opencode.json'), JSON.stringify({ mcp: { gw } }));
      return finish({ argv: [bin('opencode-linux-x64/bin/opencode'), 'mcp', 'list'], home });
    },
    says: /gw.*connected/i,
  },
];

/** Platform binaries are only there on their platform. */
export const isInstalled = ({ package: name }: ClientRow): boolean =>
  existsSync(join(MODULES, name)) || existsSync(join(import.meta.dirname, '../../node_modules', name));
