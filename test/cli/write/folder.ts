/** A small config repo, commands that change it, and an editor. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cli, type Said } from '../../helpers/cli.ts';
import { tempDir, type TempDir } from '../../helpers/temp.ts';

export const GITHUB = `# yaml-language-server: $schema=../slipway.json
# Who asks for what: the platform team.

apiVersion: slipway/v1
kind: Server
metadata: { name: github, labels: { team: core } }   # not core/
spec:
  # Two for the holidays.
  replicas: 2  # was 1
  command: [node, "server.mjs"]
  env:
    - { name: MODE, value: 'fast' }   # or slow
    - { name: API_TOKEN, value: plain-text-token }

  description: Issues and pull requests.
`;

export const PROJECTS = `apiVersion: slipway/v1
kind: Project
metadata: { name: dev }
spec:
  servers:
    - github   # everybody
---
# Only for whoever is on call.
apiVersion: slipway/v1
kind: Project
metadata: { name: ops }
spec: { servers: [ pager, github ] }
`;

export const PAGER =
  'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: pager, labels: { tier: scratch } }\nspec: { url: "https://pager.example.com/mcp" }\n';

export const CONFIG = { 'servers/github.yaml': GITHUB, 'projects.yaml': PROJECTS, 'servers/pager.yaml': PAGER };

export class Folder implements Disposable {
  readonly #dir: TempDir = tempDir();
  readonly path = this.#dir.at('config');

  constructor(files: Readonly<Record<string, string>> = CONFIG) {
    for (const [path, content] of Object.entries(files)) this.write(path, content);
  }

  write(path: string, content: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), content);
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), 'utf8');
  }

  all(): Record<string, string> {
    const files = readdirSync(this.path, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.yaml'),
    );
    return Object.fromEntries(files.sort().map((path) => [path, this.read(path)]));
  }

  run(args: readonly string[], stdin?: string, env: NodeJS.ProcessEnv = {}): Promise<Said> {
    const state = { XDG_STATE_HOME: this.#dir.at('state') };
    return cli(args, { cwd: this.path, env: { ...state, ...env }, ...(stdin === undefined ? {} : { stdin }) });
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

/** A small program in the place of an editor: what it does with the file is JavaScript. */
export function editor(folder: Folder, body: string): NodeJS.ProcessEnv {
  const path = join(folder.path, '.editor dir/edit.mjs');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    `import { readFileSync, writeFileSync, existsSync, appendFileSync } from 'node:fs';\nconst file = process.argv.at(-1);\nlet text = readFileSync(file, 'utf8');\n${body}\n`,
  );
  return { EDITOR: `'${process.execPath}' "${path}" --wait`, VISUAL: '' };
}
