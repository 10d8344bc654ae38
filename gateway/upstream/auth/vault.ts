/** Tokens and registrations at rest: a file each, sealed, and only for this user. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../../schemas/log.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;

const NUL = '\0';
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The name of something on a shelf, which can be cleared as a whole ({@link Vault.clear}). Neither has a NUL in it. */
export const onShelf = (shelf: string, item: string): string => shelf + NUL + item;

export interface VaultOptions {
  /** Made if it does not exist. */
  readonly dir: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** Without options, what it holds ends with it. */
export class Vault {
  readonly #options: VaultOptions | undefined;
  readonly #log: Log;
  readonly #making = new Map<string, Promise<unknown>>();
  /** What was read or written, as JSON would give it back. */
  readonly #known = new Map<string, unknown>();

  constructor(options: VaultOptions | undefined, log: Log) {
    this.#options = options;
    this.#log = log;
    if (options) mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  }

  /** `undefined` where there is nothing, or nothing that can be read: then a person must consent again. */
  read(name: string): unknown {
    if (!this.#known.has(name)) this.#known.set(name, this.#load(name));
    return this.#known.get(name);
  }

  /** What cannot be written is remembered all the same, until the end of the process. Never throws. */
  write(name: string, value: unknown): void {
    this.#known.set(name, value);
    if (!this.#options) return;
    const path = this.#path(name);
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      const file = openSync(temporary, 'w', 0o600);
      try {
        writeFileSync(file, this.#seal(name, value));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
    } catch (error) {
      const why = (error as Error).message;
      this.#log('error', 'a token cannot be written: consent must be given again after a restart', { path, why });
    }
  }

  /** What is there, if it is good; else it is made and kept: once, however many ask for it meanwhile. */
  async once<T>(name: string, isGood: (value: unknown) => value is T, make: () => Promise<T>): Promise<T> {
    const there = this.read(name);
    if (isGood(there)) return there;
    const making = this.#making.get(name) as Promise<T> | undefined;
    if (making) return making;
    const made = make().finally(() => this.#making.delete(name));
    this.#making.set(name, made);
    const value = await made;
    this.write(name, value);
    return value;
  }

  /** What cannot be removed is forgotten all the same, until the end of the process. Never throws. */
  remove(name: string): void {
    this.#known.set(name, undefined);
    this.#erase(() => [this.#path(name)]);
  }

  /** Removes all that is on a shelf, also what was never read. Never throws. */
  clear(shelf: string): void {
    for (const name of this.#known.keys()) if (name.startsWith(shelf + NUL)) this.#known.delete(name);
    const mine = `${digest(shelf)}-`;
    this.#erase((dir) => readdirSync(dir).flatMap((file) => (file.startsWith(mine) ? [join(dir, file)] : [])));
  }

  #erase(paths: (dir: string) => readonly string[]): void {
    if (!this.#options) return;
    const { dir } = this.#options;
    try {
      for (const path of paths(dir)) rmSync(path, { force: true });
    } catch (error) {
      this.#log('error', 'tokens cannot be removed', { dir, why: (error as Error).message });
    }
  }

  #load(name: string): unknown {
    if (!this.#options) return undefined;
    const path = this.#path(name);
    let sealed: Buffer;
    try {
      sealed = readFileSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#complain(path, (error as Error).message);
      return undefined;
    }
    try {
      return this.#open(name, sealed);
    } catch {
      this.#complain(path, 'it is damaged, or was sealed with another key');
      return undefined;
    }
  }

  #complain(path: string, why: string): void {
    this.#log('error', 'a token cannot be read: consent must be given again', { path, why });
  }

  #seal(name: string, value: unknown): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv).setAAD(Buffer.from(name));
    return Buffer.concat([iv, cipher.update(JSON.stringify(value), 'utf8'), cipher.final(), cipher.getAuthTag()]);
  }

  /** A file under another's name does not open: one principal's token cannot be given to another by renaming. */
  #open(name: string, bytes: Buffer): unknown {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(-TAG_BYTES));
    const plain = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    return JSON.parse(plain) as unknown;
  }

  get #key(): Uint8Array {
    return this.#options?.key ?? new Uint8Array();
  }

  #path(name: string): string {
    return join(this.#options?.dir ?? '', name.split(NUL).map(digest).join('-'));
  }
}
