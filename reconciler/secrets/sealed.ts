/**
 * Encrypted values as the config has them, kept in the state directory for whoever opens them. A workload and the snapshot
 * only name them, by what changes with the value: one that is encrypted for other people changes neither.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeAtomically } from '../state.ts';
import { Unavailable } from './unavailable.ts';

/** One value, still encrypted. */
export interface Sealed {
  readonly secret: string;
  readonly key: string;
  /** Changes when the value does: a fingerprint. */
  readonly id: string;
  readonly in: SealedIn;
}

/** What it lies in: an age file of its own, or a file that SOPS encrypted. */
export type SealedIn =
  | { readonly type: 'age'; readonly age: string }
  | {
      readonly type: 'sops';
      /** Path in the config repo. */
      readonly file: string;
      /** Hash of its content. */
      readonly blob: string;
    };

type Named = Pick<Sealed, 'secret' | 'key' | 'id'>;

/** Writes what is not there as it is. @throws SlipwayError state-unwritable */
export function stageSealed(all: readonly Sealed[], dir: string): void {
  for (const sealed of all) {
    const path = join(dir, fileOf(sealed));
    const text = JSON.stringify(sealed.in);
    if (textAt(path) !== text) writeAtomically(path, text);
  }
}

/** @throws Unavailable */
export function findSealed(named: Named, dir: string): SealedIn {
  const found = readJson(join(dir, fileOf(named))) as SealedIn | undefined;
  if (!found) throw new Unavailable('its encrypted value is not in the state directory', 'Try `slipway sync`.');
  return found;
}

/** Removes all but these: nobody asks for an old value again. */
export function sweepSealed(kept: readonly Named[], dir: string): void {
  const names = new Set(kept.map(fileOf));
  for (const name of readdirSync(dir)) if (!names.has(name)) rmSync(join(dir, name), { force: true });
}

/** Of name, key and id: a value under the fingerprint of another must not take its place. */
function fileOf({ secret, key, id }: Named): string {
  const hash = createHash('sha256').update(JSON.stringify([secret, key, id]));
  return `${hash.digest('hex')}.json`;
}

function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
