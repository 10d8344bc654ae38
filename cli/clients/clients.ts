/** Where each MCP client keeps its servers, and in which shape. A new client is a row here. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** How a client reaches the gateway: through `slipway connect` on stdio, or by itself over HTTP. */
export type Entry = { readonly command: string; readonly args: readonly string[] } | { readonly url: string };

export interface ClientRow {
  readonly title: string;
  /** Its file: below the working directory where a project has one of its own, else below the home. */
  file(place: Place): string;
  readonly format: 'json' | 'toml';
  /** Where its servers stand in the file. */
  readonly at: readonly string[];
  /** One server as the client wants it. */
  shape(entry: Entry): Record<string, unknown>;
}

export interface Place {
  readonly cwd: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
}

export function placeOf(cwd: string, env: NodeJS.ProcessEnv): Place {
  return { cwd, home: env['HOME'] ?? homedir(), env, platform: process.platform };
}

const configHome = ({ env, home }: Place): string => env['XDG_CONFIG_HOME'] ?? join(home, '.config');
const plain = (entry: Entry): Record<string, unknown> => ({ ...entry });
/** Those that want to be told which transport it is. */
const typed = (entry: Entry): Record<string, unknown> => ({ type: 'url' in entry ? 'http' : 'stdio', ...entry });

export const CLIENTS: Readonly<Record<string, ClientRow>> = {
  claude: {
    title: 'Claude Code',
    file: ({ cwd }) => join(cwd, '.mcp.json'),
    format: 'json',
    at: ['mcpServers'],
    shape: typed,
  },
  'claude-desktop': {
    title: 'Claude Desktop',
    file: (place) =>
      join(
        place.platform === 'darwin' ? join(place.home, 'Library', 'Application Support') : configHome(place),
        'Claude',
        'claude_desktop_config.json',
      ),
    format: 'json',
    at: ['mcpServers'],
    shape: plain,
  },
  cursor: {
    title: 'Cursor',
    file: ({ cwd }) => join(cwd, '.cursor', 'mcp.json'),
    format: 'json',
    at: ['mcpServers'],
    shape: plain,
  },
  vscode: {
    title: 'Visual Studio Code',
    file: ({ cwd }) => join(cwd, '.vscode', 'mcp.json'),
    format: 'json',
    at: ['servers'],
    shape: typed,
  },
  opencode: {
    title: 'opencode',
    file: ({ cwd }) => join(cwd, 'opencode.json'),
    format: 'json',
    at: ['mcp'],
    shape: (entry) =>
      'url' in entry
        ? { type: 'remote', url: entry.url, enabled: true }
        : { type: 'local', command: [entry.command, ...entry.args], enabled: true },
  },
  codex: {
    title: 'Codex CLI',
    file: ({ env, home }) => join(env['CODEX_HOME'] ?? join(home, '.codex'), 'config.toml'),
    format: 'toml',
    at: ['mcp_servers'],
    shape: plain,
  },
  gemini: {
    title: 'Gemini CLI',
    file: ({ cwd }) => join(cwd, '.gemini', 'settings.json'),
    format: 'json',
    at: ['mcpServers'],
    shape: (entry) => ('url' in entry ? { httpUrl: entry.url } : { ...entry }),
  },
};
