/** Files of age keys. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { defaultKeyFile, generateKey } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { text, type Options } from '../command.ts';
import type { Io } from '../io.ts';

/** Writes a new key where Slipway looks for it, for this user alone, and prints who encrypts for it. Never overwrites one. */
export async function keygen(options: Options, io: Io): Promise<void> {
  const named = text(options, 'keyFile') ?? io.env['SLIPWAY_AGE_KEY_FILE'];
  const file = named ? resolve(io.cwd, named) : defaultKeyFile(io.env);
  const { identity, recipient } = await generateKey();
  const lines = `# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, lines, { flag: 'wx', mode: 0o600 });
    chmodSync(file, 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new SlipwayError('exists', `${file} is there already.`, { hint: 'Name another file with --key-file.' });
    throw new SlipwayError('state-unwritable', `Cannot write ${file}: ${message}`, {
      hint: 'Name another with --key-file.',
    });
  }
  io.out(recipient);
  io.err(
    `The key is in ${file}. Keep a copy where no machine fails: what is encrypted for it can be read by nobody else.`,
  );
  io.err('Put the line above among `secrets.recipients` of the Gateway.');
}
