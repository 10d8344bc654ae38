/** Lets somebody edit a text in the editor of their choice. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { splitWords } from '../argv.ts';
import type { Io } from '../io.ts';

/** A file that only its user can read; it goes with this object unless it is kept. */
export class EditedFile implements Disposable {
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'slipway-edit-'));
  #isKept = false;

  constructor(name: string) {
    // What is not valid yet may have any name, one that leads elsewhere too.
    this.path = join(this.#folder, `${name.replaceAll(/[^A-Za-z0-9-]/g, '_')}.yaml`);
  }

  /** @returns the text as it was saved @throws SlipwayError usage, tool-missing, cancelled */
  async edit(text: string, io: Io): Promise<string> {
    if (io.unasked)
      throw new SlipwayError('usage', 'An editor asks for input.', { hint: 'Use `slipway patch` or `apply`.' });
    writeFileSync(this.path, text, { mode: 0o600 });
    await run(io.env['VISUAL'] || io.env['EDITOR'] || 'vi', this.path, io);
    return readFileSync(this.path, 'utf8');
  }

  /** Leaves the file where it is, so that no work is lost. */
  keep(): string {
    this.#isKept = true;
    return this.path;
  }

  [Symbol.dispose](): void {
    if (!this.#isKept) rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function run(editor: string, file: string, io: Io): Promise<void> {
  const [program = '', ...args] = splitWords(editor);
  const code = await new Promise<number | null>((resolve, reject) => {
    // No shell: what the setting holds is a program and its arguments, and the path is one more of them.
    const child = spawn(program, [...args, file], { cwd: io.cwd, env: io.env, stdio: 'inherit' });
    child.once('error', (cause) =>
      reject(
        new SlipwayError('tool-missing', `The editor ${program} cannot be started.`, {
          hint: 'Set EDITOR to one that is installed.',
          cause,
        }),
      ),
    );
    child.once('exit', resolve);
  });
  if (code !== 0)
    throw new SlipwayError(
      'cancelled',
      `The editor ended with ${code === null ? 'a signal' : `code ${code}`}; nothing was changed.`,
    );
}
