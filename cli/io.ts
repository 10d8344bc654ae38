/** The outside world as one object, so that commands can be tested without a terminal. */
import { createInterface } from 'node:readline/promises';
import { Readable, Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { Level, Log } from '../schemas/log.ts';
import { Logger } from './log.ts';
import { SlipwayError } from '../schemas/errors.ts';

export interface Io {
  /** What somebody pipes in. */
  readonly input: Readable;
  /** Data, for pipes. */
  readonly out: (text: string) => void;
  /** Talk, for people. */
  readonly err: (text: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Colours text where `out` is a terminal. */
  readonly paint: (style: Style, text: string) => string;
  readonly log: Log;
  /** Where the log comes from, for those who may change how much is said. */
  readonly logger?: Logger;
  /** Asks whoever sits at the terminal; absent where nobody does. */
  readonly confirm?: (question: string) => Promise<boolean>;
  /** The same for any answer, without the spaces around it. */
  readonly ask?: (question: string) => Promise<string>;
  /** The same, without showing what is typed. */
  readonly askHidden?: (question: string) => Promise<string>;
  /** True where nobody may be asked in any other way either: no editor is opened. */
  readonly unasked?: boolean;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** What a person wants of how a command talks, whatever the command is. */
export interface Wishes {
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Nobody is to be asked. */
  readonly noInput: boolean;
}

/** The same world with less talk, or more. Errors are reported past it. */
export function quietOrLoud(io: Io, { quiet, verbose, noInput }: Wishes): Io {
  const { confirm: _, ask: __, askHidden: ___, ...unasked } = io;
  const isTerminal = (io.input as { isTTY?: boolean }).isTTY === true;
  if (verbose) io.logger?.sayAll();
  return {
    ...(noInput ? { ...unasked, unasked: true, ...(isTerminal ? { input: Readable.from([]) } : {}) } : io),
    ...(quiet ? { err: () => {}, log: (level, ...rest) => (isTold(level) ? io.log(level, ...rest) : undefined) } : {}),
  };
}

const isTold = (level: Level): boolean => level === 'warn' || level === 'error';

export function processIo(signal: AbortSignal): Io {
  const { stdout, stderr, env } = process;
  const painter =
    (stream: NodeJS.WriteStream) =>
    (style: Style, text: string): string =>
      styleText(style, text, { stream, validateStream: true });
  const paintErr = painter(stderr);
  const err = (text: string): void => void stderr.write(`${text}\n`);
  const logger = new Logger({ write: err, paint: paintErr, debug: Boolean(env['SLIPWAY_DEBUG']) });
  return {
    input: process.stdin,
    out: (text) => void stdout.write(`${text}\n`),
    err,
    env,
    cwd: process.cwd(),
    signal,
    paint: painter(stdout),
    ...(process.stdin.isTTY && stderr.isTTY ? asking(signal) : {}),
    log: logger.log,
    logger,
  };
}

function asking(signal: AbortSignal): Required<Pick<Io, 'ask' | 'askHidden' | 'confirm'>> {
  const answer = async (question: string, output: Writable): Promise<string> => {
    using terminal = createInterface({ input: process.stdin, output, terminal: process.stderr.isTTY });
    // Ctrl-D is no answer, and none will come.
    const ended = new Promise<never>((_, reject) =>
      terminal.once('close', () => reject(new SlipwayError('cancelled', 'Nobody answered.'))),
    );
    // Awaited here: the terminal ends with this function.
    return await Promise.race([terminal.question(question, { signal }), ended]);
  };
  // On stderr, so that stdout stays data.
  const ask = async (question: string): Promise<string> => (await answer(question, process.stderr)).trim();
  return {
    ask,
    async askHidden(question) {
      // The terminal stops to show what is typed before anybody is asked to type.
      const answered = answer('', new Writable({ write: (_, __, done) => done() }));
      process.stderr.write(question);
      try {
        return await answered;
      } finally {
        process.stderr.write('\n');
      }
    },
    // Anything but a yes is a no.
    confirm: async (question) => /^y(es)?$/i.test(await ask(`${question} [y/N] `)),
  };
}
