/** lean-ctx's addon manifest (TOML): one server, and how its program is had. */
import { objectOf, type Drafts } from './draft.ts';
import { serverOf } from './server.ts';

export function isAddon(root: Record<string, unknown>): boolean {
  return root['addon'] !== undefined;
}

/** Managers whose packages Slipway installs itself, by exact version. */
const ECOSYSTEM: Readonly<Record<string, string>> = { npm: 'npm', pip: 'pypi', uv: 'pypi' };
const LEFT_OUT = ['artifacts', 'dependencies', 'pricing'] as const;

export function fromAddon(root: Record<string, unknown>, drafts: Drafts): void {
  const addon = objectOf(root['addon']);
  const mcp = objectOf(root['mcp']);
  const install = objectOf(root['install']);
  const name = String(addon['name'] ?? 'addon');
  if (mcp['command'] === undefined && mcp['url'] === undefined)
    return drafts.lose(name, 'is only listed: it says neither a command nor a url');
  const { command, args, env, url, headers } = mcp;
  const made = serverOf(drafts, name, {
    command,
    args,
    env,
    url,
    headers,
    type: mcp['transport'],
    description: addon['description'],
  });
  if (!made) return;
  const about = `Server/${made.metadata.name}`;
  const ecosystem = ECOSYSTEM[String(install['manager'])];
  if (ecosystem !== undefined && 'command' in made.spec) {
    const { command: program, ...spec } = made.spec;
    const [bin = '', ...rest] = program as string[];
    const { package: id, version } = install;
    made.spec = { ...spec, package: { [ecosystem]: id, version, bin, ...(rest.length > 0 ? { args: rest } : {}) } };
  } else if (install['manager'] !== undefined)
    drafts.lose(
      about,
      `${String(install['manager'])} install ${String(install['package'])} was left out: have it on the host`,
    );
  const { network } = objectOf(root['capabilities']);
  if (network !== undefined && !('url' in made.spec))
    made.spec['isolation'] = { egress: network === 'full' ? 'all' : 'none' };
  const { sha256 } = mcp;
  if (sha256 !== undefined) drafts.lose(about, 'sha256 of the program was left out');
  for (const field of LEFT_OUT) if (root[field] !== undefined) drafts.lose(about, `[${field}] was left out`);
}
