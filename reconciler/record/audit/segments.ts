/**
 * The log on disk: files of lines, each named after the number of its first line. Only the last is written to. What a
 * crash left half written is cut off and kept beside, so that the next line follows a whole one.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, replaceFile, writeAtomically } from '../../state.ts';
import { follow, genesis, type Head } from './line.ts';

/** A file that nothing is added to any more. */
export interface Segment {
  readonly file: string;
  /** Numbers of its first and its last line. */
  readonly first: number;
  readonly last: number;
}

/** What the last run left that cannot be read. */
export interface Cut {
  readonly bytes: number;
  /** Lines that were safely on disk once and are not there: a crash does not do that. */
  readonly lost: number;
}

const HANDED = 'handed.json';
const LONGEST_LINE = 64 * 1024;
const NAME = /^(\d{12})\.jsonl$/;

/** Their first numbers, in order. @throws as `readdirSync` */
export function segmentsIn(dir: string): { file: string; first: number }[] {
  return readdirSync(dir)
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => ({ file: join(dir, name), first: Number(name.slice(0, 12)) }));
}

/** Its first or its last line. The longest is far shorter than what is read. */
export function lineAt(file: string, end: 'first' | 'last'): string {
  const size = statSync(file).size;
  const bytes = Buffer.alloc(Math.min(size, LONGEST_LINE));
  const handle = openSync(file, 'r');
  try {
    readSync(handle, bytes, 0, bytes.length, end === 'first' ? 0 : size - bytes.length);
  } finally {
    closeSync(handle);
  }
  return linesOf(bytes.toString('utf8')).at(end === 'first' ? 0 : -1) ?? '';
}

export const linesOf = (content: string): string[] => content.split('\n').slice(0, -1);

/** The id of the chain that a directory holds, and where it stood when that was last written down. */
export function anchorOf(dir: string): { chain: string; head: Head | undefined } | undefined {
  const chain = textOf(join(dir, 'chain'))?.trim();
  if (!chain) return undefined;
  const [, seq, hash] = /^(\d+) ([0-9a-f]{64})\n/.exec(textOf(join(dir, 'head')) ?? '') ?? [];
  return { chain, head: hash === undefined ? undefined : { seq: Number(seq), hash } };
}

export class Segments implements AsyncDisposable {
  readonly dir: string;
  /** Names this log on a branch that several share. */
  readonly chain: string;
  readonly cut: Cut | undefined;
  #head: Head;
  #first: number;
  #file: FileHandle | undefined;
  #headFile: FileHandle | undefined;
  #size = 0;
  #through: number;
  #isDirty = false;
  /** Whether something may stand after the last whole line. */
  #isTorn = false;

  /** @param isHanded whether a file is on its way to git, although it is not noted here yet @throws as `node:fs` does */
  constructor(dir: string, isHanded: (file: string) => boolean = () => false) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.dir = dir;
    const known = anchorOf(dir);
    this.chain = known?.chain ?? randomUUID();
    if (!known) writeAtomically(join(dir, 'chain'), `${this.chain}\n`);
    const found = recover(dir);
    this.#head = found?.head ?? genesis(this.chain);
    const lost = Math.max(0, (known?.head?.seq ?? 0) - this.#head.seq);
    // No number is given twice: the lines that are gone may be on the branch, and if not, they are missed.
    if (known?.head && lost > 0) this.#head = known.head;
    this.#through = (readJson(join(dir, HANDED)) as { through?: number } | undefined)?.through ?? 0;
    // What was handed over is never added to.
    const isOpen =
      found !== undefined && lost === 0 && found.head.seq > this.#through && !isHanded(this.#path(found.first));
    this.#first = isOpen ? found.first : this.#head.seq + 1;
    this.#size = isOpen ? found.size : 0;
    this.cut = lost > 0 || (found?.cut ?? 0) > 0 ? { bytes: found?.cut ?? 0, lost } : undefined;
  }

  /** After the last line that is written. */
  get head(): Head {
    return this.#head;
  }

  /** The last line that was handed over. */
  get through(): number {
    return this.#through;
  }

  /** Whether a file is full and was not handed over. */
  get unhanded(): boolean {
    return this.#first - 1 > this.#through;
  }

  /** @throws SlipwayError state-unwritable */
  async handed(through: number): Promise<void> {
    await replaceFile(join(this.dir, HANDED), JSON.stringify({ through }));
    this.#through = through;
  }

  /** Of the file that is written to. */
  get size(): number {
    return this.#size;
  }

  get events(): number {
    return this.#head.seq - this.#first + 1;
  }

  /**
   * Adds whole lines. If they cannot be written, none of them is there.
   * @throws as `node:fs` does, ENOSPC for one
   */
  async append(lines: Uint8Array, head: Head): Promise<void> {
    this.#file ??= await open(this.#path(this.#first), 'a', 0o600);
    if (this.#isTorn) await this.#file.truncate(this.#size);
    this.#isTorn = true;
    try {
      await this.#file.appendFile(lines);
    } catch (error) {
      await this.#file.truncate(this.#size).then(
        () => (this.#isTorn = false),
        () => {}, // Before the next try, then.
      );
      throw error;
    }
    this.#isTorn = false;
    this.#size += lines.length;
    this.#head = head;
    this.#isDirty = true;
  }

  /** Makes what was added outlive a power failure, and notes how far it is. @throws as `node:fs` does */
  async sync(): Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const { seq, hash } = this.#head;
    try {
      await this.#file?.datasync();
      this.#headFile ??= await open(join(this.dir, 'head'), 'w', 0o600);
      await this.#headFile.write(`${seq} ${hash}\n`.padEnd(96), 0);
    } catch (error) {
      this.#isDirty = true;
      throw error;
    }
  }

  /** Ends the file that is written to, if it holds something; the next line begins another. @throws as `node:fs` does */
  async rotate(): Promise<void> {
    if (this.events === 0) return;
    await this.sync();
    await this.#file?.close();
    this.#file = undefined;
    this.#first = this.#head.seq + 1;
    this.#size = 0;
  }

  /** Those that nothing is added to, oldest first. */
  closed(): Segment[] {
    const all = segmentsIn(this.dir).filter(({ first }) => first < this.#first);
    return all.map(({ file, first }, index) => ({ file, first, last: (all[index + 1]?.first ?? this.#first) - 1 }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.sync();
    } finally {
      await this.#file?.close();
      await this.#headFile?.close();
      this.#file = this.#headFile = undefined;
    }
  }

  #path(first: number): string {
    return join(this.dir, `${String(first).padStart(12, '0')}.jsonl`);
  }
}

/** The last whole line, and what comes after it cut off. */
function recover(dir: string): { head: Head; first: number; size: number; cut: number } | undefined {
  let cut = 0;
  for (const { file, first } of segmentsIn(dir).toReversed()) {
    const bytes = readFileSync(file);
    const lines = linesOf(bytes.toString('utf8'));
    for (let count = lines.length; count > 0; count--) {
      const head = follow(lines[count - 1] ?? '', undefined);
      if (typeof head === 'string') continue;
      const size = Buffer.byteLength(lines.slice(0, count).join('\n')) + 1;
      return { head, first, size, cut: cut + cutOff(file, bytes, size) };
    }
    // Nothing was written to it yet, or nothing that can be read.
    cut += cutOff(file, bytes, 0);
  }
  return undefined;
}

function cutOff(file: string, bytes: Buffer, size: number): number {
  const rest = bytes.length - size;
  if (rest === 0) return 0;
  writeFileSync(`${file}.cut`, bytes.subarray(size), { mode: 0o600 });
  truncateSync(file, size);
  return rest;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
