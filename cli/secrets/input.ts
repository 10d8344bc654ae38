/** Where a value to encrypt comes from: never from the command line, which everybody on the host can read. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { text, type Options } from '../command.ts';
import type { Io } from '../io.ts';

/** As much as an encrypted value may have; a file of config has 1 MiB. */
const MAX_BYTES = 256 * 1024;

/** From --from-file, else from whoever sits at the terminal, else piped in. A final line break is cut off. @throws SlipwayError usage */
export async function readValue(options: Options, io: Io, question: string): Promise<string> {
  const file = text(options, 'fromFile');
  const content = file === undefined ? await asked(io, question) : await fromFile(resolve(io.cwd, file));
  const value = content.replace(/\r?\n$/, '');
  if (value === '') throw new SlipwayError('usage', 'There is no value: it is empty.');
  checkSize(value);
  return value;
}

export function checkSize(value: string): void {
  if (Buffer.byteLength(value) > MAX_BYTES) throw new SlipwayError('usage', 'The value is over 256 KiB.');
}

async function fromFile(path: string): Promise<string> {
  try {
    return utf8(await readFile(path));
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('path-not-found', `${path} cannot be read.`, { hint: 'Correct --from-file.' });
  }
}

async function asked(io: Io, question: string): Promise<string> {
  if (io.askHidden) return io.askHidden(`${question}: `);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of io.input as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > MAX_BYTES + 2) throw new SlipwayError('usage', 'The value is over 256 KiB.');
  }
  return utf8(Buffer.concat(chunks));
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SlipwayError('not-utf8', 'The value is not UTF-8 text.', {
      hint: 'Encode it first, in Base64 for instance.',
    });
  }
}
