/** What MCP clients keep: Claude, Cursor, Gemini (`mcpServers`), Visual Studio Code (`servers`), opencode (`mcp`), Codex (`mcp_servers`). */
import { objectOf, type Drafts } from './draft.ts';
import { serverOf } from './server.ts';

const FIELDS = ['mcpServers', 'servers', 'mcp', 'mcp_servers'] as const;

/** The servers by name, if it is such a file. */
export function clientServers(root: Record<string, unknown>): Record<string, unknown> | undefined {
  const field = FIELDS.find((name) => Object.values(objectOf(root[name])).some(isEntry));
  return field === undefined ? undefined : objectOf(root[field]);
}

function isEntry(value: unknown): boolean {
  const entry = objectOf(value);
  return ['command', 'url', 'httpUrl', 'serverUrl'].some((field) => entry[field] !== undefined);
}

export function fromClient(root: Record<string, unknown>, drafts: Drafts): void {
  for (const [name, entry] of Object.entries(clientServers(root) ?? {})) serverOf(drafts, name, entry);
}
