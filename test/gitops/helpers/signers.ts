/** People with real keys, who sign what they commit. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFiles, type Files, type TestRepo } from '../../helpers/repo.ts';

export interface Person {
  readonly name: string;
  /** As a Trust has it. */
  readonly key: { readonly ssh: string } | { readonly gpg: string };
  /** How git is told to sign as them. */
  readonly config: readonly string[];
}

export interface SignOptions {
  readonly message?: string;
  /** ISO 8601; now by default. */
  readonly date?: string;
  readonly push?: boolean;
  /** What git does, `commit` by default. */
  readonly args?: readonly string[];
}

const run = (program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): string =>
  execFileSync(program, args, {
    encoding: 'utf8',
    stdio: 'pipe',
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', ...env },
  }).trim();

export class Signers implements Disposable {
  // Short: the agent of gpg listens on a socket in it.
  readonly #home = mkdtempSync(join(tmpdir(), 'sg-'));
  #agent = false;

  ssh(name: string, type = 'ed25519'): Person {
    const path = join(this.#home, `${name}-${type}`);
    run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', `${name}@example.com`, '-f', path]);
    return {
      name,
      key: { ssh: readFileSync(`${path}.pub`, 'utf8').trim() },
      config: ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${path}`],
    };
  }

  /** @param expires as gpg has it: `0` for never, `seconds=5` */
  gpg(name: string, expires = '0'): Person {
    this.#agent = true;
    const home = join(this.#home, name);
    mkdirSync(home, { mode: 0o700 });
    const gpg = (...args: string[]): string => run('gpg', ['--homedir', home, '--batch', '--quiet', ...args]);
    const address = `${name}@example.com`;
    gpg(
      '--passphrase',
      '',
      '--faked-system-time',
      '20260101T000000!',
      '--quick-gen-key',
      address,
      'ed25519',
      'sign',
      expires,
    );
    const program = join(home, 'gpg');
    writeFileSync(program, `#!/bin/sh\nexec gpg --homedir '${home}' --faked-system-time 20260101T000001! "$@"\n`);
    chmodSync(program, 0o755);
    return {
      name,
      key: { gpg: gpg('--armor', '--export', address) },
      config: ['-c', 'gpg.format=openpgp', '-c', `gpg.program=${program}`, '-c', `user.signingkey=${address}`],
    };
  }

  /** The same key with the word of its owner that it is none any more. */
  revoked(person: Person): Person {
    const home = join(this.#home, person.name);
    const [file = ''] = run('ls', [join(home, 'openpgp-revocs.d')]).split('\n');
    const text = readFileSync(join(home, 'openpgp-revocs.d', file), 'utf8').replace(':-----BEGIN', '-----BEGIN');
    const gpg = (args: readonly string[], input?: string): string =>
      execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', ...args], {
        encoding: 'utf8',
        stdio: 'pipe',
        ...(input === undefined ? {} : { input }),
      }).trim();
    gpg(['--import'], text);
    return { ...person, key: { gpg: gpg(['--armor', '--export', `${person.name}@example.com`]) } };
  }

  [Symbol.dispose](): void {
    if (this.#agent)
      for (const home of run('find', [this.#home, '-name', 'S.gpg-agent', '-printf', '%h\n'])
        .split('\n')
        .filter(Boolean))
        run('gpgconf', ['--homedir', home, '--kill', 'all']);
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Commits as somebody, signed where they have a key, and pushes. @returns the id */
export function commitAs(
  repo: TestRepo,
  person: Person | undefined,
  files: Files,
  { message = 'change', date, push = true, args = ['commit', '--quiet', '--allow-empty'] }: SignOptions = {},
): string {
  const who = person?.name ?? 'nobody';
  const env = {
    GIT_AUTHOR_NAME: who,
    GIT_AUTHOR_EMAIL: `${who}@example.com`,
    GIT_COMMITTER_NAME: who,
    GIT_COMMITTER_EMAIL: `${who}@example.com`,
    ...(date === undefined ? {} : { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date }),
  };
  writeFiles(repo.work, files);
  repo.git('add', '--all', '--force');
  const sign = person ? ['--gpg-sign'] : ['--no-gpg-sign'];
  run('git', [...(person?.config ?? []), ...args, ...sign, '--message', message], env, repo.work);
  if (push) repo.git('push', '--quiet', '--force', 'origin', 'HEAD:main');
  return repo.git('rev-parse', 'HEAD');
}

/** A Trust document. */
export function trustOf(spec: object, people: readonly Person[] = []): string {
  const signers = people.map(({ name, key }) => ({ name, keys: [key] }));
  return JSON.stringify({
    apiVersion: 'slipway/v1',
    kind: 'Trust',
    metadata: { name: 'main' },
    spec: { ...(signers.length > 0 ? { signers } : {}), ...spec },
  });
}
