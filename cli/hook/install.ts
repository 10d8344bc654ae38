/** Puts a pre-receive hook into a bare repository, and takes it out again; the hook of somebody else stays what it is. */
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { localConfig, setLocalConfig } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';

const NAME = 'pre-receive';
const MARK = '# Written by `slipway hook install`; `slipway hook uninstall` removes it.';
/** Whether it was we who let pushes have options. */
const OPTIONS_MARK = '# It made this repository take push options.';
const PUSH_OPTIONS = 'receive.advertisePushOptions';

export interface Hook {
  /** The program and its arguments: what the hook becomes. */
  readonly argv: readonly string[];
  readonly takesPushOptions: boolean;
}

/** @param repo a bare repository @returns where the hook is @throws SlipwayError exists for somebody else's hook */
export async function install(repo: string, { argv, takesPushOptions }: Hook, signal: AbortSignal): Promise<string> {
  const path = await hookPath(repo, signal);
  const before = ownHook(path);
  const advertised = await localConfig(repo, PUSH_OPTIONS, signal);
  const isOurs = before?.includes(OPTIONS_MARK) ?? false;
  if (takesPushOptions && advertised !== 'true') await setLocalConfig(repo, PUSH_OPTIONS, 'true', signal);
  if (!takesPushOptions && isOurs) await setLocalConfig(repo, PUSH_OPTIONS, undefined, signal);
  const setsOptions = takesPushOptions && (isOurs || advertised !== 'true');
  const lines = ['#!/bin/sh', MARK, ...(setsOptions ? [OPTIONS_MARK] : []), `exec ${argv.map(quoted).join(' ')}`, ''];
  mkdirSync(join(path, '..'), { recursive: true });
  // Whole or not at all: a push may come at this moment.
  const temporary = `${path}.slipway-${process.pid}`;
  writeFileSync(temporary, lines.join('\n'), { mode: 0o755 });
  renameSync(temporary, path);
  return path;
}

/** @returns where it was; undefined where there is none @throws SlipwayError exists for somebody else's hook */
export async function uninstall(repo: string, signal: AbortSignal): Promise<string | undefined> {
  const path = await hookPath(repo, signal);
  const before = ownHook(path);
  if (before === undefined) return undefined;
  rmSync(path);
  if (before.includes(OPTIONS_MARK)) await setLocalConfig(repo, PUSH_OPTIONS, undefined, signal);
  return path;
}

async function hookPath(repo: string, signal: AbortSignal): Promise<string> {
  const elsewhere = await localConfig(repo, 'core.hooksPath', signal);
  return join(elsewhere === undefined ? join(repo, 'hooks') : resolve(repo, elsewhere), NAME);
}

/** @returns its text; undefined where there is none @throws SlipwayError exists */
function ownHook(path: string): string | undefined {
  if (!existsSync(path) && !lstatSync(path, { throwIfNoEntry: false })) return undefined;
  const text = lstatSync(path).isFile() ? readFileSync(path, 'utf8') : '';
  if (text.includes(MARK)) return text;
  throw new SlipwayError('exists', `${path} is somebody else’s hook; it was left as it is.`, {
    hint: 'Call `slipway hook pre-receive` from it with what it reads on its standard input, and end with its exit code.',
  });
}

/** For sh: between single quotes everything is itself, but for single quotes. */
function quoted(word: string): string {
  if (/[\0\n\r]/.test(word)) throw new SlipwayError('usage', 'A hook takes no line breaks in its arguments.');
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
