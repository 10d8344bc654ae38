/** `slipway client-config`: what each client wants, put into its own file without harm to what is there. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { parse as parseJson } from 'jsonc-parser';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { CLIENTS, placeOf } from '../../cli/clients/clients.ts';
import { run } from '../../cli/run.ts';
import { mergeJson, mergeToml } from '../../cli/clients/merge.ts';

const value = { command: 'slipway', args: ['connect'] };

describe('an entry in a client’s file', () => {
  test('leaves comments, order and indentation of JSON alone', () => {
    const before =
      '{\n\t// mine\n\t"theme": "dark",\n\t"mcpServers": {\n\t\t"other": { "command": "x" }, // keep\n\t},\n}\n';
    const after = mergeJson(before, ['mcpServers', 'slipway'], value);
    expect(after).toContain('\t// mine\n\t"theme": "dark",');
    expect(after).toContain('\t\t"other": { "command": "x" }, // keep\n');
    expect(parseJson(after)).toEqual({ theme: 'dark', mcpServers: { other: { command: 'x' }, slipway: value } });
    expect(mergeJson(after, ['mcpServers', 'slipway'], value)).toBe(after);
  });

  test('takes a file that begins with a mark of its byte order', () => {
    expect(JSON.parse(mergeJson('\ufeff{}\n', ['mcpServers', 'slipway'], value))).toEqual({
      mcpServers: { slipway: value },
    });
  });

  test('begins a file that is not there', () => {
    expect(JSON.parse(mergeJson('', ['mcpServers', 'slipway'], value))).toEqual({ mcpServers: { slipway: value } });
    expect(parseToml(mergeToml('', ['mcp_servers', 'slipway'], value))).toEqual({ mcp_servers: { slipway: value } });
  });

  test('replaces its own table of TOML and nothing else', () => {
    const before =
      '# mine\nmodel = "o" # best\n\n[mcp_servers.slipway]\ncommand = "old"\nenv = { A = "1" }\n\n[mcp_servers.other]\ncommand = "x"\n';
    const after = mergeToml(before, ['mcp_servers', 'slipway'], value);
    expect(after).toContain('# mine\nmodel = "o" # best\n');
    expect(after).toContain('[mcp_servers.other]\ncommand = "x"\n');
    expect(parseToml(after)).toEqual({ model: 'o', mcp_servers: { slipway: value, other: { command: 'x' } } });
    expect(mergeToml(after, ['mcp_servers', 'slipway'], value)).toBe(after);
  });

  test.each([
    ['JSON that is cut off', () => mergeJson('{ "mcpServers": {', ['mcpServers', 'slipway'], value)],
    ['JSON with something else there', () => mergeJson('{ "mcpServers": null }', ['mcpServers', 'slipway'], value)],
    ['JSON with a list there', () => mergeJson('{ "mcp": [] }', ['mcp', 'slipway'], value)],
    ['JSON that is a list', () => mergeJson('[]', ['mcpServers', 'slipway'], value)],
    ['TOML that is none', () => mergeToml('a = = 1', ['mcp_servers', 'slipway'], value)],
    [
      'TOML with the entry inline',
      () => mergeToml('mcp_servers = { slipway = { command = "x" } }\n', ['mcp_servers', 'slipway'], value),
    ],
    [
      'TOML with a table below the entry',
      () => mergeToml('[mcp_servers.slipway.env]\nA = "1"\n', ['mcp_servers', 'slipway'], value),
    ],
  ])('%s is refused', (_, merge) => {
    expect(merge).toThrow(expect.objectContaining({ code: 'invalid-value' }));
  });
});

describe('slipway client-config', () => {
  test('prints without writing, writes with --write, and says where', async () => {
    using home = new Home();
    for (const [client, row] of Object.entries(CLIENTS)) {
      const file = row.file(placeOf(home.path, home.env));
      const args = ['client-config', client, '--project', 'dev', '--server-url', 'https://mcp.example.com/'];
      const printed = await home.slipway(...args);
      expect(printed, client).toMatchObject({ code: 0 });
      expect(printed.err).toContain(file);
      const parse = row.format === 'json' ? JSON.parse : parseToml;
      const entry = [...row.at, 'slipway-dev'].reduce((at, key) => at[key], parse(printed.out));
      expect([entry.command, entry.args ?? []].flat(), client).toEqual(['slipway', ...COMMAND]);
      expect(existsSync(file)).toBe(false);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, '', { mode: 0o600 });
      expect((await home.slipway(...args, '--write')).code).toBe(0);
      expect(readFileSync(file, 'utf8').trimEnd()).toBe(printed.out);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect((await home.slipway(...args, '--write')).err).toContain('Nothing to change');
    }
  });

  test('a link is followed, and what is read-only stays so', async () => {
    using home = new Home();
    const [link, file] = [join(home.path, '.mcp.json'), join(home.path, 'real.json')];
    writeFileSync(file, '{ "a": 1 }');
    symlinkSync(file, link);
    expect((await home.slipway('client-config', 'claude', '--write')).code).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ a: 1, mcpServers: { slipway: {} } });
    const before = readFileSync(file, 'utf8');
    chmodSync(file, 0o444);
    const refused = await home.slipway('client-config', 'claude', '--project', 'dev', '--write');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('is read-only; nothing was written. [forbidden]');
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  test('a damaged file stays as it is', async () => {
    using home = new Home();
    const file = join(home.path, '.mcp.json');
    writeFileSync(file, '{ "mcpServers": ');
    const { err } = await home.slipway('client-config', 'claude', '--write');
    expect(err).toContain('[invalid-value]');
    expect(err).toContain(file);
    expect(readFileSync(file, 'utf8')).toBe('{ "mcpServers": ');
    expect((await home.slipway('client-config', 'clade')).err).toContain('did you mean claude?');
    expect((await home.slipway('client-config', 'claude', '--http')).code).toBe(64);
  });
});

const COMMAND = ['connect', '--project', 'dev', '--server-url', 'https://mcp.example.com/'];

/** Somebody's home, and commands that run there in this process. */
class Home implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'slipway-home-'));
  readonly env = { HOME: this.path, XDG_CONFIG_HOME: join(this.path, '.config') };

  async slipway(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const said = { out: '', err: '' };
    const code = await run(args, {
      input: Readable.from([]),
      out: (text) => void (said.out += text),
      err: (text) => void (said.err += text),
      env: this.env,
      cwd: this.path,
      signal: new AbortController().signal,
      paint: (_, text) => text,
      log: () => {},
    });
    return { code, ...said };
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}
