/** What is said on stderr: for people as it always was, or for machines as JSON; how much of it can change while it runs. */
import { LEVELS, type Level, type Log, type LogSettings } from '../schemas/log.ts';
import { looksSecret, MASK } from '../schemas/sensitive.ts';
import type { Style } from './io.ts';
import { plain } from './print/plain.ts';

type Fields = Readonly<Record<string, unknown>>;

const LEVEL_STYLE: Record<Level, Style> = { debug: 'dim', info: 'cyan', warn: 'yellow', error: 'red' };

export interface LoggerOptions {
  readonly write: (line: string) => void;
  readonly paint: (style: Style, text: string) => string;
  /** Says everything, whatever the config says. */
  readonly debug: boolean;
}

export class Logger {
  readonly #options: LoggerOptions;
  #settings: LogSettings = { level: 'info', format: 'plain', redactKeys: [] };
  #hidden: ReadonlySet<string> = new Set();
  #isAll: boolean;

  constructor(options: LoggerOptions) {
    this.#options = options;
    this.#isAll = options.debug;
  }

  /** Whatever the config says. */
  sayAll(): void {
    this.#isAll = true;
  }

  /** In force from the next line on. */
  configure(settings: LogSettings): void {
    this.#settings = settings;
    this.#hidden = new Set(settings.redactKeys.map((key) => key.toLowerCase()));
  }

  readonly log: Log = (level, message, fields = {}) => {
    const { write } = this.#options;
    if (!this.#isAll && LEVELS.indexOf(level) < LEVELS.indexOf(this.#settings.level)) return;
    const masked = this.#masked(fields);
    const time = new Date().toISOString();
    if (this.#settings.format === 'json') write(JSON.stringify({ time, level, message, ...masked }));
    else write(this.#plain(time, level, message, masked));
  };

  #plain(time: string, level: Level, message: string, fields: Fields): string {
    const { paint } = this.#options;
    return `${paint('dim', time.slice(11, 19))} ${paint(LEVEL_STYLE[level], level.padEnd(5))} ${plain(message + formatFields(fields))}`;
  }

  /** A field that sounds like a secret is one, wherever it stands. */
  #masked(fields: Fields): Fields {
    const mask = (key: string, value: unknown): unknown => {
      if (key !== '' && (looksSecret(key) || this.#hidden.has(key.toLowerCase()))) return MASK;
      if (typeof value !== 'object' || value === null) return value;
      if (Array.isArray(value)) return value.map((item) => mask('', item));
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mask(name, inner)]));
    };
    return mask('', fields) as Fields;
  }
}

function formatFields(fields: Fields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) => ` ${key}=${typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value)}`,
    )
    .join('');
}
