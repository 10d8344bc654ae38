/** Hashes of what a client sent, over its canonical JSON (RFC 8785), so that key order and white space make no difference. */
import { createHash, hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isVerbatim } from '../../../schemas/exact-json.ts';

export interface ArgumentHashes {
  /** For compatibility with the team server. */
  readonly md5: string;
  readonly sha256: string;
}

/** Without arguments there is nothing to hash (as in the team server). */
const NONE: ArgumentHashes = { md5: '', sha256: '' };

/** What is hashed before others get their turn (characters). */
const SLICE = 256 * 1024;

export function hashArguments(value: unknown): ArgumentHashes {
  if (value === undefined) return NONE;
  const text = canonical(value);
  return { md5: hash('md5', text), sha256: hash('sha256', text) };
}

/**
 * RFC 8785 for what JSON.parse gave: keys sorted by UTF-16 code units (§3.2.3), everything else as JSON.stringify writes it
 * (§3.2.2). The library for it, which a test compares this with, checks for more than can come here, and costs twice as much.
 */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null || isVerbatim(value)) return JSON.stringify(value) ?? '';
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const keys = Object.keys(value);
  // Most have one, and sorting makes copies.
  if (keys.length > 1) keys.sort();
  let text = '{';
  for (const key of keys)
    text += `${text === '{' ? '' : ','}${JSON.stringify(key)}:${canonical((value as Record<string, unknown>)[key])}`;
  return `${text}}`;
}

/** The same for what is large: in slices, with others' turns between them, and without one more copy of the whole. */
export async function hashLarge(value: unknown): Promise<ArgumentHashes> {
  if (value === undefined) return NONE;
  const md5 = createHash('md5');
  const sha256 = createHash('sha256');
  let done = 0;
  for (const part of parts(value)) {
    md5.update(part);
    sha256.update(part);
    done += part.length;
    if (done < SLICE) continue;
    done = 0;
    await nextTurn();
  }
  return { md5: md5.digest('hex'), sha256: sha256.digest('hex') };
}

/** {@link canonical}, piece by piece. */
function* parts(value: unknown): Generator<string> {
  if (Array.isArray(value)) {
    yield '[';
    for (const [index, item] of value.entries()) {
      if (index > 0) yield ',';
      yield* parts(item);
    }
    yield ']';
  } else if (typeof value === 'object' && value !== null && !isVerbatim(value)) {
    yield '{';
    for (const [index, key] of Object.keys(value).sort().entries()) {
      yield `${index > 0 ? ',' : ''}${JSON.stringify(key)}:`;
      yield* parts((value as Record<string, unknown>)[key]);
    }
    yield '}';
  } else yield JSON.stringify(value) ?? '';
}
