/** A real git repository: a bare remote, and a working tree of somebody who pushes to it. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tempDir, type TempDir } from './temp.ts';

/** A text or bytes; `null` removes the file; `{link}` and `{executable}` say what they are. */
export type Content = string | Uint8Array | null | { readonly link: string } | { readonly executable: string };
export type Files = Readonly<Record<string, Content>>;

const ENV = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

export function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd, env: ENV, encoding: 'utf8', stdio: 'pipe', maxBuffer: 2 ** 26 }).trim();
}

export function writeFiles(root: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    rmSync(path, { force: true, recursive: true });
    if (content === null) continue;
    mkdirSync(dirname(path), { recursive: true });
    if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(path, content);
    else if ('link' in content) symlinkSync(content.link, path);
    else {
      writeFileSync(path, content.executable);
      chmodSync(path, 0o755);
    }
  }
}

export class TestRepo implements Disposable {
  readonly #dir: TempDir = tempDir();
  /** The bare repository. */
  readonly remote = this.#dir.at('config.git');
  readonly work = this.#dir.at('work');

  constructor() {
    git(this.#dir.path, 'init', '--quiet', '--bare', '--initial-branch=main', this.remote);
    git(this.#dir.path, 'init', '--quiet', '--initial-branch=main', this.work);
    git(this.work, 'remote', 'add', 'origin', this.remote);
  }

  get url(): string {
    return `file://${this.remote}`;
  }

  /** Folder that holds the bare repository. */
  get root(): string {
    return this.#dir.path;
  }

  /** Changes files, commits and pushes. @returns the commit's id */
  push(files: Files, message = 'change'): string {
    const id = this.commit(files, message);
    this.git('push', '--quiet', '--force', 'origin', 'HEAD');
    return id;
  }

  commit(files: Files, message = 'change'): string {
    writeFiles(this.work, files);
    this.git('add', '--all', '--force');
    this.git('commit', '--quiet', '--allow-empty', '--message', message);
    return this.git('rev-parse', 'HEAD');
  }

  git(...args: string[]): string {
    return git(this.work, ...args);
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}
