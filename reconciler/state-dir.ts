/** Where a Slipway keeps its state, and so where others find it. A file of its own, so that whoever only asks loads no more. */
import { createHash } from 'node:crypto';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface StatePaths {
  readonly mirror: string;
  readonly snapshot: string;
  readonly applied: string;
  /** What was used of budgets. */
  readonly budgets: string;
  /** What sessions want to hear of, and which have ended. */
  readonly sessions: string;
  /** Texts that models made. */
  readonly cache: string;
  readonly journal: string;
  readonly parseCache: string;
  /** When Tokens were last used. */
  readonly lastUsed: string;
  readonly outbox: string;
  readonly records: string;
  readonly audit: string;
  readonly logs: string;
  readonly packages: string;
  readonly work: string;
  readonly blobs: string;
  /** Backups on their way to git. */
  readonly backups: string;
  /** Values that are encrypted in the config, as they are there. */
  readonly sealed: string;
  /** What the docker driver must know to take its containers over again. */
  readonly containers: string;
  /** Tokens and registrations for remote servers, sealed. */
  readonly vault: string;
  /** Trees of workspaces, and the mirrors that they come from. */
  readonly workspaces: string;
  readonly sockets: string;
  readonly control: string;
}

/** `$XDG_STATE_HOME/slipway/<id of the repo>`. */
export function defaultStateDir(repo: string, env: NodeJS.ProcessEnv = process.env): string {
  return join(stateHome(env), repoId(repo));
}

export function stateHome(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'slipway');
}

/** Readable and unique: the last part of the URL, and eight digits of the hash of all of it. */
export function repoId(repo: string): string {
  const name =
    repo
      .replace(/\/+$/, '')
      .replace(/\.git$/, '')
      .split(/[/:]/)
      .at(-1) ?? '';
  const slug = name.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 40) || 'repo';
  return `${slug}-${createHash('sha256').update(repo).digest('hex').slice(0, 8)}`;
}

export function statePaths(root: string): StatePaths {
  const sockets = socketDir(root);
  return {
    mirror: join(root, 'mirror.git'),
    snapshot: join(root, 'snapshot.json'),
    applied: join(root, 'applied.json'),
    budgets: join(root, 'budgets.json'),
    sessions: join(root, 'sessions.json'),
    cache: join(root, 'cache'),
    journal: join(root, 'journal.jsonl'),
    parseCache: join(root, 'index.parse.json'),
    lastUsed: join(root, 'last-used.json'),
    outbox: join(root, 'outbox'),
    records: join(root, 'records.git'),
    audit: join(root, 'audit'),
    logs: join(root, 'logs'),
    packages: join(root, 'packages'),
    work: join(root, 'work'),
    blobs: join(root, 'blobs'),
    backups: join(root, 'backups'),
    sealed: join(root, 'sealed'),
    containers: join(root, 'containers'),
    vault: join(root, 'vault'),
    workspaces: join(root, 'workspaces'),
    sockets,
    control: join(sockets, 'control.sock'),
  };
}

/** A socket's path may have 107 bytes (103 on macOS); instance names take up to 90 of them in a deep directory. */
function socketDir(root: string): string {
  const direct = join(root, 'run');
  if (Buffer.byteLength(direct) <= 40) return direct;
  const short = createHash('sha256').update(resolve(root)).digest('hex').slice(0, 12);
  return join(process.env['XDG_RUNTIME_DIR'] || tmpdir(), `slipway-${process.getuid?.() ?? 0}-${short}`);
}
