/** Lets somebody edit a text in the editor of their choice. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryDir } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { splitWords } from '../argv.ts';
import type { Io } from '../io.ts';

/** A file that only its user can read; it goes with this object unless it is kept. */
export class EditedFile implements Disposable {
  readonly path: string;
  readonly #folder: string;
  #isKept = false;

  constructor(name: string, { folder = tmpdir(), extension = 'yaml' } = {}) {
    this.#folder = mkdtempSync(join(folder, 'slipway-edit-'));
    // What is not valid yet may have any name, one that leads elsewhere too.
    this.path = join(this.#folder, `${name.replaceAll(/[^A-Za-z0-9-]/g, '_')}.${extension}`);
  }

  /** For a secret: never on a disk. @throws SlipwayError isolation-unavailable where this host keeps nothing in memory */
  static inMemory(name: string): EditedFile {
    const folder = memoryDir();
    if (folder === undefined)
      throw new SlipwayError('isolation-unavailable', 'A secret is edited in memory only, and no tmpfs is here.', {
        hint: 'Mount one at /dev/shm, or pipe the value into `slipway secret encrypt`.',
      });
    return new EditedFile(name, { folder, extension: 'txt' });
  }

  /** @returns the text as it was saved @throws SlipwayError usage, tool-missing, cancelled */
  async edit(text: string, io: Io): Promise<string> {
    if (io.unasked)
      throw new SlipwayError('usage', 'An editor asks for input.', { hint: 'Use `slipway patch` or `apply`.' });
    const chosen = io.env['VISUAL'] || io.env['EDITOR'];
    // One that nobody asked for would wait for keys where no keys are.
    if (!chosen && !io.ask)
      throw new SlipwayError('usage', 'There is no terminal here to edit in.', {
        hint: 'Set EDITOR to a program that edits by itself, or use `slipway patch` or `apply`.',
      });
    writeFileSync(this.path, text, { mode: 0o600 });
    await run(chosen || 'vi', this.path, io);
    return readFileSync(this.path, 'utf8');
  }

  /** Leaves the file where it is, so that no work is lost. */
  keep(): string {
    this.#isKept = true;
    return this.path;
  }

  [Symbol.dispose](): void {
    if (this.#isKept) return;
    // Whoever has a file open, or comes upon its pages, finds nothing; what an editor laid beside it goes the same way.
    for (const name of readdirSync(this.#folder)) overwrite(join(this.#folder, name));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function overwrite(path: string): void {
  const { size } = statSync(path);
  writeFileSync(path, Buffer.alloc(size), { flag: 'r+' });
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
