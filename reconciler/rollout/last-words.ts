/** The last lines that an instance wrote: they say why it failed more often than anything else does. */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { Driver, Instance } from '../drivers/driver.ts';
import type { Workload } from '../workload.ts';

const LINES = 3;
/** Where a program was when it failed, rather than why: frames of a stack, the mark below a piece of source, the version of Node. */
const WHERE = /^\s+at |^\s*\^+\s*$|^Node\.js v\d|^\s+File ".*", line \d+/;
const MAX_CHARACTERS = 200;
/** Reading them must not hold anything up. */
const PATIENCE_MS = 1000;

/** Masked, as all that drivers write to logs; empty if there are none, or they cannot be had soon. */
export async function lastLines(driver: Driver, address: string, instance: string): Promise<string[]> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const lines = driver.logs?.(address, { instance, tail: 50, signal });
    return withoutPlaces((lines ? await Array.fromAsync(lines) : []).flatMap(textOf)).slice(-LINES);
  } catch {
    return [];
  }
}

export function quoted(lines: readonly string[]): string {
  return lines.length === 0 ? '' : ` Its last lines: ${lines.map((line) => `“${line}”`).join(' ')}`;
}

/** The error with what the first of the instances that wrote anything said last. */
export async function saying(
  error: unknown,
  driver: Driver,
  { address }: Workload,
  instances: readonly string[],
): Promise<SlipwayError> {
  const known = toSlipwayError(error, 'start-failed');
  for (const instance of instances) {
    const lines = await lastLines(driver, address, instance);
    if (lines.length === 0) continue;
    return new SlipwayError(known.code, known.message + quoted(lines), { hint: known.hint, cause: known });
  }
  return known;
}

/** The last lines of crashed instances, read once for each crash: a status is made far more often than that. */
export class LastLines {
  readonly #known = new Map<string, { readonly restarts: number; readonly lines: Promise<string[]> }>();

  async of(
    { drivers }: { readonly drivers: ReadonlyMap<string, Driver> },
    instances: readonly Instance[],
  ): Promise<(instance: string) => readonly string[]> {
    const crashed = instances.filter(({ state }) => state === 'crashed');
    const lines = await Promise.all(crashed.map(async (one) => [one.id, await this.#linesOf(one, drivers)] as const));
    for (const id of this.#known.keys()) if (!instances.some((one) => one.id === id)) this.#known.delete(id);
    const byInstance = new Map(lines);
    return (id) => byInstance.get(id) ?? [];
  }

  async #linesOf({ id, address, restarts }: Instance, drivers: ReadonlyMap<string, Driver>): Promise<string[]> {
    const known = this.#known.get(id);
    if (known?.restarts === restarts) return known.lines;
    const read = async (): Promise<string[]> => {
      for (const driver of drivers.values()) {
        const lines = await lastLines(driver, address, id);
        if (lines.length > 0) return lines;
      }
      return [];
    };
    const lines = read();
    this.#known.set(id, { restarts, lines });
    return lines;
  }
}

/** A line of a log is a time, a stream, and what was written; what Slipway itself notes there is known already. */
function textOf(line: string): string[] {
  const [, stream, text = ''] = /^\S+ (stdout|stderr|slipway) (.*)$/.exec(line) ?? [undefined, undefined, line];
  return stream === 'slipway' || text.trim() === '' ? [] : [text.slice(0, MAX_CHARACTERS)];
}

/** Without places in programs, and the fields of an error that Node writes in braces behind them. */
function withoutPlaces(lines: readonly string[]): string[] {
  let isInBraces = false;
  return lines.filter((line) => {
    const isPlace = isInBraces || WHERE.test(line);
    isInBraces = isInBraces ? line !== '}' : isPlace && line.endsWith(' {');
    return !isPlace;
  });
}
