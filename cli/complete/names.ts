/** Names of resources for shells to offer: of the running Slipway that a command would ask, or of the config. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { directorySource } from '../../reconciler/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import { text } from '../command.ts';
import { placeOf } from '../place.ts';
import { findTarget, type Target } from '../target.ts';
import type { Place } from './complete.ts';

/** Nobody waits longer for a list. */
const PATIENCE_MS = 1500;
const MAX_BYTES = 1024 * 1024;

/** Of one kind, in order. What a command speaks to, its own options tell. */
export async function namesOf(kind: Kind, place: Place): Promise<string[]> {
  const asks = place.has('state-dir') && place.options['local'] !== true;
  const running = asks ? await fromRunning(kind, place) : undefined;
  const names = running ?? (place.has('repo') ? await fromConfig(kind, place) : []);
  return [...new Set([...(kind.builtIn ?? []), ...names])].sort();
}

async function fromRunning(kind: Kind, place: Place): Promise<string[] | undefined> {
  const resources = await asked<Resource[]>(place, (target) => target.json('GET', `/resources/${kind.plural}`));
  return resources?.map(({ metadata }) => metadata.name);
}

/** What a running Slipway answers; `undefined` where there is none, or it does not answer, or refuses. */
export async function asked<T>(place: Place, ask: (target: Target) => Promise<T>): Promise<T | undefined> {
  const signal = AbortSignal.any([place.io.signal, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    // Where `--server` names a server of the config, `--url` is the Slipway.
    const options = place.has('url') ? { ...place.options, server: place.options['url'] } : place.options;
    return await ask(await findTarget(options, { ...place.io, signal, err: () => {} }));
  } catch {
    return undefined; // Whoever presses a key does not want to read why.
  }
}

/** Read and not checked: while a file is being mended, the others must still be offered. */
async function fromConfig(kind: Kind, { options, io }: Place): Promise<string[]> {
  const { repo, isWorkingTree } = placeOf(text(options, 'repo') ?? '.', io.cwd);
  if (!isWorkingTree) return [];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    await using source = directorySource(join(repo, text(options, 'path') ?? ''), { asCommitted: true });
    const { id } = await source.fetch(signal);
    const files = (await source.files(id, signal)).filter(
      ({ path, type, bytes }) => /\.ya?ml$/.test(path) && type !== 'symlink' && bytes < MAX_BYTES,
    );
    const contents = await source.read(id, files, signal);
    const wanted = addressOf({ kind: kind.kind, metadata: { name: '' } });
    return contents
      .flatMap((content) => addressesIn(content.toString('utf8')))
      .flatMap((address) => (address.startsWith(wanted) ? [address.slice(wanted.length)] : []));
  } catch {
    return [];
  }
}

/** `Server/github` of each document. By its lines: parsing all of a large config takes longer than a key may. */
export function addressesIn(yaml: string): string[] {
  return yaml.split(/^---.*$/m).flatMap((document) => {
    const lines = document.split(/\r?\n/);
    const kind = valueOf('kind', lines);
    const at = lines.findIndex((line) => line.startsWith('metadata:'));
    const after = lines.slice(at + 1);
    const end = after.findIndex((line) => /^[^\s#]/.test(line));
    const below = end < 0 ? after : after.slice(0, end);
    const flow = lines[at]?.slice('metadata:'.length).trim() ?? '';
    const name = valueOf('name', flow.startsWith('{') ? entriesOf([flow, ...below].join(' ')) : outdented(below));
    return at >= 0 && kind && name ? [`${kind}/${name}`] : [];
  });
}

function valueOf(key: string, lines: readonly string[]): string | undefined {
  const line = lines.find((one) => one.startsWith(`${key}:`));
  return line && /^["']?([\w.-]+)/.exec(line.slice(key.length + 1).trimStart())?.[1];
}

/** Keys at the margin; what is written deeper, in labels for example, may be called the same. */
function outdented(lines: readonly string[]): string[] {
  const first = lines.find((line) => /^\s*[^\s#]/.test(line)) ?? '';
  const indent = first.length - first.trimStart().length;
  return lines.map((line) => line.slice(indent));
}

/** `{ labels: { a: b }, name: x }`, each on a line of its own. */
function entriesOf(flow: string): string[] {
  return flow
    .slice(1)
    .replaceAll(/\{[^{}]*\}/g, '')
    .split(',')
    .map((entry) => entry.trim());
}

/** Branches and tags of a repo on this disk. */
export async function refsOf(repo: string): Promise<string[]> {
  const args = ['-C', repo, 'for-each-ref', '--format=%(refname:short)', 'refs/heads', 'refs/tags'];
  const listed = await promisify(execFile)('git', args, { timeout: PATIENCE_MS }).catch(() => undefined);
  return listed?.stdout.split('\n').filter(Boolean) ?? [];
}
