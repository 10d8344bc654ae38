/** A program on a real terminal with a screen: keys go in, and what stands on the screen is read, as tmux shows it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from './until.ts';

export interface ScreenOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly columns?: number;
  readonly rows?: number;
}

let screens = 0;

export class Screen implements Disposable {
  readonly #socket: string;
  readonly #options: ScreenOptions;

  /** @param command what runs there, with its arguments; the screen stays when it has ended */
  constructor(command: readonly string[], options: ScreenOptions) {
    const { cwd, columns = 110, rows = 32 } = options;
    this.#options = options;
    // One of its own: the screen before, in the same folder, may be on its way out still.
    this.#socket = join(cwd, `tmux-${++screens}.sock`);
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', String(rows), '-c', cwd, 'sh');
    this.#tmux('set-option', '-g', 'status', 'off');
    this.keys(`${command.map((word) => `'${word}'`).join(' ')}; echo "[ended $?]"`, 'Enter');
  }

  /** @param keys as tmux names them: `Enter`, `Down`, `q` */
  keys(...keys: readonly string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** What stands there now, line by line. */
  get lines(): string[] {
    return this.#tmux('capture-pane', '-p').split('\n');
  }

  /** @returns the screen once a text stands on it @throws Error with what stands there instead */
  async shows(text: string | RegExp): Promise<string> {
    let screen = '';
    const has = (): boolean => (typeof text === 'string' ? screen.includes(text) : text.test(screen));
    try {
      return await eventually(() => {
        screen = this.lines.join('\n');
        return has() ? screen : undefined;
      });
    } catch {
      throw new Error(`${String(text)} does not stand on the screen, but\n${screen}`);
    }
  }

  [Symbol.dispose](): void {
    this.#tmux('kill-server');
  }

  #tmux(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('tmux', ['-S', this.#socket, ...args], {
      encoding: 'utf8',
      env: { ...this.#options.env, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' },
    });
    if (status !== 0 && args[0] !== 'kill-server') throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
    return stdout;
  }
}
