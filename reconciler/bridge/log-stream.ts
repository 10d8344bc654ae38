/** Copies what a program prints into its log. */
import type { Readable } from 'node:stream';
import { LineSplitter } from '../../schemas/lines.ts';
import type { LogFile, LogStream } from './log-file.ts';

const MAX_LINE_BYTES = 64 * 1024;
/** A program that prints without end must not keep everybody else waiting: beyond this it waits itself. */
const BYTES_A_SECOND = 128 * 1024;

/** Whole lines, one write a chunk. */
export function logStream(stream: Readable, name: LogStream, log: LogFile): void {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), {
    maxBytes: MAX_LINE_BYTES,
    onTooLong: (bytes) => lines.push(`(a line of ${bytes} bytes was left out)`),
  });
  const flush = (): void => {
    if (lines.length > 0) log.write(name, ...lines.splice(0));
  };
  let allowance = BYTES_A_SECOND;
  stream.on('data', (chunk: Buffer) => {
    splitter.push(chunk);
    flush();
    allowance -= chunk.length;
    if (allowance > 0) return;
    stream.pause();
    setTimeout(() => {
      allowance = BYTES_A_SECOND;
      stream.resume();
    }, 1000).unref();
  });
  stream.once('end', () => {
    splitter.end();
    flush();
  });
}
