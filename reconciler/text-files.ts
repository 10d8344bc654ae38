/** Texts that models made, a file each below the state directory. A cache: whatever of it is lost is made again. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  CACHE_DEFAULTS,
  type CacheSettings,
  type Cleared,
  type ClearRequest,
  type DiskStats,
  type NamespaceStats,
  type TextStore,
} from '../schemas/cache.ts';
import type { Log } from '../schemas/log.ts';

/** A text that is longer is not kept (bytes): one must not drive all others out. */
const MAX_TEXT = 4 * 1024 * 1024;
/** What is over the limit is cut back to this share of it, so that not every text after that cuts again. */
const AFTER_CUT = 0.9;
/** How often what nobody uses is looked for although there is room (ms). */
const LOOK_EVERY = 24 * 60 * 60 * 1000;
/** A half-written file is left by a crash when it is this old (ms). */
const ABANDONED = 10 * 60 * 1000;
const KEY = /^[0-9a-f]{64}$/;
const MAX_NAME = 200;

interface Found {
  readonly path: string;
  readonly bytes: number;
  /** Unix time (ms). */
  readonly usedAt: number;
  readonly isText: boolean;
}

export interface TextFilesOptions {
  /** Made with the first text. */
  readonly dir: string;
  readonly log: Log;
}

export class TextFiles implements TextStore {
  readonly #dir: string;
  readonly #log: Log;
  #settings: CacheSettings = CACHE_DEFAULTS;
  /** What lies there, as far as known; `undefined` until it was counted. */
  #bytes: number | undefined;
  #cutting: Promise<void> | undefined;
  #cutAt = 0;
  #count = 0;
  #lastError: string | undefined;

  constructor({ dir, log }: TextFilesOptions) {
    this.#dir = dir;
    this.#log = log;
  }

  configure(settings: CacheSettings): void {
    this.#settings = settings;
    // A smaller limit is in force with the next text.
    this.#cutAt = 0;
  }

  async read(namespace: string, key: string): Promise<string | undefined> {
    if (!KEY.test(key)) return undefined;
    const path = join(this.#folder(namespace), `${key}.dat`);
    try {
      const now = new Date();
      const { mtimeMs } = await stat(path);
      const isOld = mtimeMs < now.getTime() - this.#settings.ttlMs;
      const text = isOld ? undefined : intact(await readFile(path));
      if (text === undefined) {
        if (!isOld) this.#troubled(new Error(`${path} is damaged`));
        await rm(path, { force: true });
        return undefined;
      }
      await utimes(path, now, now);
      return text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#troubled(error);
      return undefined;
    }
  }

  async write(namespace: string, key: string, text: string): Promise<void> {
    const content = Buffer.from(`${digest(text)}\n${text}`);
    if (!KEY.test(key) || content.length > MAX_TEXT) return;
    const folder = this.#folder(namespace);
    const temporary = join(folder, `${key}.${process.pid}-${this.#count++}.tmp`);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      try {
        // Not synced: what a power failure leaves half is known by its digest, and made again.
        await writeFile(temporary, content, { mode: 0o600 });
        await rename(temporary, join(folder, `${key}.dat`));
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      if (this.#bytes !== undefined) this.#bytes += content.length;
      await this.#cutIfNeeded();
      if (this.#lastError !== undefined) this.#log('info', 'texts of language models are kept on disk again');
      this.#lastError = undefined;
    } catch (error) {
      this.#troubled(error);
    }
  }

  async stats(): Promise<DiskStats> {
    const namespaces: NamespaceStats[] = [];
    for (const folder of await this.#folders()) {
      const texts = (await filesIn(join(this.#dir, folder))).filter(({ isText }) => isText);
      if (texts.length === 0) continue;
      namespaces.push({
        namespace: namespaceOf(folder),
        entries: texts.length,
        bytes: total(texts),
        usedAt: new Date(Math.max(...texts.map(({ usedAt }) => usedAt))).toISOString(),
      });
    }
    return {
      bytes: namespaces.reduce((sum, { bytes }) => sum + bytes, 0),
      maxBytes: await this.#maxBytes(),
      namespaces: namespaces.sort((a, b) => (a.namespace < b.namespace ? -1 : 1)),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  async clear({ namespace, olderThanMs = 0 }: ClearRequest): Promise<Cleared> {
    const folders = namespace === undefined ? await this.#folders() : [folderFor(namespace)];
    const before = Date.now() - olderThanMs;
    const cleared = { entries: 0, bytes: 0 };
    for (const folder of folders) {
      const found = await filesIn(join(this.#dir, folder));
      const old = olderThanMs === 0 ? found : found.filter(({ usedAt }) => usedAt < before);
      for (const { path, bytes, isText } of old) {
        await rm(path, { force: true });
        if (isText) cleared.entries++;
        cleared.bytes += bytes;
      }
      // Only where nothing is left.
      await rmdir(join(this.#dir, folder)).catch(() => {});
    }
    if (this.#bytes !== undefined) this.#bytes = Math.max(0, this.#bytes - cleared.bytes);
    return cleared;
  }

  async #cutIfNeeded(): Promise<void> {
    const isDue = (): boolean => this.#bytes === undefined || Date.now() - this.#cutAt > LOOK_EVERY;
    // Others write while it cuts: then once more.
    while (isDue() || (this.#bytes ?? 0) > (await this.#maxBytes())) {
      this.#cutting ??= this.#cut().finally(() => (this.#cutting = undefined));
      await this.#cutting;
    }
  }

  /** Removes what nobody used for long, and of the rest what was used longest ago, until it is little enough. */
  async #cut(): Promise<void> {
    this.#cutAt = Date.now();
    // What is written meanwhile adds to it.
    this.#bytes = 0;
    const all: Found[] = [];
    for (const folder of await this.#folders()) all.push(...(await filesIn(join(this.#dir, folder))));
    all.sort((a, b) => a.usedAt - b.usedAt);
    const max = await this.#maxBytes();
    // What is half-written is not ours to remove, so it must not keep us cutting.
    let bytes = total(all.filter(({ isText }) => isText));
    const wanted = bytes > max ? max * AFTER_CUT : max;
    const now = Date.now();
    for (const { path, bytes: size, usedAt, isText } of all) {
      const isOld = usedAt < now - (isText ? this.#settings.ttlMs : ABANDONED);
      if (!isOld && bytes <= wanted) continue;
      if (!isOld && !isText) continue;
      await rm(path, { force: true });
      if (isText) bytes -= size;
    }
    this.#bytes += bytes;
  }

  async #maxBytes(): Promise<number> {
    const { max } = this.#settings;
    if ('bytes' in max) return max.bytes;
    const { blocks, bsize } = await statfs(this.#dir).catch(() => statfs(dirname(this.#dir)));
    return Math.floor((blocks * bsize * max.percent) / 100);
  }

  async #folders(): Promise<string[]> {
    const entries = await readdir(this.#dir, { withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  }

  #folder(namespace: string): string {
    return join(this.#dir, folderFor(namespace));
  }

  /** Told once, until a text could be written again. */
  #troubled(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    if (this.#lastError === undefined)
      this.#log('error', 'texts of language models cannot be kept on disk: after a restart they are made again', {
        why,
      });
    this.#lastError = why;
  }
}

/** Path traversal: a namespace has the name of a model in it, which is whatever somebody called it. */
function folderFor(namespace: string): string {
  const name = encodeURIComponent(namespace).replaceAll('.', '%2E');
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 65)}~${digest(namespace)}`;
}

function namespaceOf(folder: string): string {
  try {
    return decodeURIComponent(folder);
  } catch {
    return folder;
  }
}

async function filesIn(folder: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    if (info?.isFile()) found.push({ path, bytes: info.size, usedAt: info.mtimeMs, isText: name.endsWith('.dat') });
  }
  return found;
}

/** The text, if it is whole. */
function intact(content: Buffer): string | undefined {
  const end = content.indexOf(0x0a);
  const text = content.toString('utf8', end + 1);
  return end === 64 && content.toString('latin1', 0, end) === digest(text) ? text : undefined;
}

const total = (files: readonly Found[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
