/** A log of bounded size: the file in use and the one before it. Lines come with their time and with secrets masked. */
import {
  closeSync,
  createReadStream,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  statSync,
  watch,
  writeSync,
} from 'node:fs';
import { createInterface } from 'node:readline';

const MAX_BYTES = 1024 * 1024;

export type LogStream = 'stderr' | 'stdout' | 'slipway';

export class LogFile implements Disposable {
  readonly #path: string;
  #redact: (text: string) => string = (text) => text;
  #file: number | undefined;
  #size = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** From now on, masks what `redact` masks. */
  mask(redact: (text: string) => string): void {
    this.#redact = redact;
  }

  /** From now on, masks what `redact` masks as well. */
  maskToo(redact: (text: string) => string): void {
    const before = this.#redact;
    this.#redact = (text) => redact(before(text));
  }

  /** The text as it may be shown. */
  redact(text: string): string {
    return this.#redact(text);
  }

  write(stream: LogStream, ...lines: readonly string[]): void {
    const head = `${new Date().toISOString()} ${stream} `;
    const text = this.#redact(lines.map((line) => `${head}${line}\n`).join(''));
    try {
      this.#file ??= this.#open();
      if (this.#size + text.length > MAX_BYTES) this.#rotate();
      this.#size += writeSync(this.#file, text);
    } catch {
      // A full disk must not take the server down; the log is the one thing that can be done without.
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): number {
    const file = openSync(this.#path, 'a', 0o600);
    this.#size = fstatSync(file).size;
    return file;
  }

  #rotate(): void {
    this[Symbol.dispose]();
    renameSync(this.#path, `${this.#path}.1`);
    this.#file = this.#open();
  }
}

/** Lines of a log from its end, then, with `follow`, each new one until the signal aborts. */
export async function* readLog(
  path: string,
  options: { tail?: number; follow?: boolean; signal: AbortSignal },
): AsyncGenerator<string> {
  const lines: string[] = [];
  const keep = options.tail ?? Number.POSITIVE_INFINITY;
  const seen = placeOf(path);
  for await (const line of linesOf(`${path}.1`, 0)) if (lines.push(line) > keep) lines.shift();
  for await (const line of linesOf(path, 0, seen.size)) if (lines.push(line) > keep) lines.shift();
  yield* lines;
  if (options.follow) yield* follow(path, seen, options.signal);
}

/** How far a log was read: in which file, up to which byte. */
interface Place {
  readonly file: number;
  readonly size: number;
}

function placeOf(path: string): Place {
  const info = statSync(path, { throwIfNoEntry: false });
  return { file: info?.ino ?? 0, size: info?.size ?? 0 };
}

async function* linesOf(path: string, start: number, end?: number): AsyncGenerator<string> {
  if (!existsSync(path) || (end !== undefined && end <= start)) return;
  yield* createInterface({ input: createReadStream(path, { start, ...(end === undefined ? {} : { end: end - 1 }) }) });
}

async function* follow(path: string, from: Place, signal: AbortSignal): AsyncGenerator<string> {
  let read = from;
  let wake = (): void => {};
  const listener = (): void => wake();
  using watcher = { [Symbol.dispose]: watchFile(path, listener) };
  void watcher;
  signal.addEventListener('abort', listener, { once: true });
  while (!signal.aborted) {
    const now = placeOf(path);
    if (now.file !== read.file) {
      // It was rotated: first what was not read of the old file, then the new one.
      if (read.file !== 0) yield* linesOf(`${path}.1`, read.size);
      read = { file: now.file, size: 0 };
    } else if (now.size > read.size) {
      yield* linesOf(path, read.size, now.size);
      read = now;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

/** Watches the directory, because the file may not exist yet and is replaced when it is rotated. */
function watchFile(path: string, listener: () => void): () => void {
  const watcher = watch(path.slice(0, path.lastIndexOf('/')), listener);
  return () => watcher.close();
}
