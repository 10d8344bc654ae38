/** MCP's stdio framing: one JSON message per line, UTF-8, no line break inside. Pure. */

const NEWLINE = 0x0a;

/**
 * Cuts a byte stream into lines. Bytes are joined before they are decoded, so a character cut in two survives.
 * A line over `maxBytes` is dropped whole and reported once, so that a runaway server cannot eat the memory.
 */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #onTooLong: (bytes: number) => void;
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #size = 0;

  constructor(onLine: (line: string) => void, options: { maxBytes: number; onTooLong?: (bytes: number) => void }) {
    this.#onLine = onLine;
    this.#maxBytes = options.maxBytes;
    this.#onTooLong = options.onTooLong ?? (() => {});
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      this.#flush();
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** What came after the last line break is a line too, when nothing more will come. */
  end(): void {
    if (this.#size > 0) this.#flush();
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size <= this.#maxBytes) this.#parts.push(part);
    else this.#parts = [];
  }

  #flush(): void {
    const size = this.#size;
    const parts = this.#parts;
    this.#parts = [];
    this.#size = 0;
    if (size > this.#maxBytes) return this.#onTooLong(size);
    const line = (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)).toString('utf8');
    if (line.trim() !== '') this.#onLine(line);
  }
}
