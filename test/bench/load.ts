/** A closed loop of requests on many connections, and what came of it. */
import { percentile } from './measure.ts';
import { talker, type Era } from './talk.ts';
import { Wire } from './wire.ts';

export interface Load {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Demand {
  readonly url: string;
  readonly connections: number;
  readonly ms: number;
  readonly era?: Era;
  readonly token?: string;
  readonly method?: string;
  /** @param tag in the answer, or it is a wrong one */
  params(tag: string): Record<string, unknown>;
}

/** Each connection sends its next request when the last was answered. @throws for a wrong answer */
export async function load({ url, connections, ms, era, token, method = 'tools/call', params }: Demand): Promise<Load> {
  const client = await talker(url, era, token);
  const times: number[] = [];
  const end = performance.now() + ms;
  const worker = async (_: unknown, index: number): Promise<void> => {
    using wire = await Wire.open(new URL(url));
    for (let n = 0; performance.now() < end; n++) {
      const began = performance.now();
      // Ids are unique in the session that all of them share.
      const tag = `${index}-${n}`;
      const { body } = await client.call(wire, index * 1_000_000 + n, method, params(tag));
      const right = method === 'tools/call' ? body.includes(tag) : body.includes('"result"');
      if (!right) throw new Error(`A wrong answer: ${body.slice(0, 300)}`);
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  return { perSecond: (times.length / ms) * 1000, p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/** What every program does in one turn while they are warmed up (ms). */
const TURN_MS = 2000;

/**
 * Until what a call runs through is compiled. In turns, because V8 collects a program that had nothing to do for 8 s, and drops what was
 * compiled for objects of which it finds none then: who was warmed up first would be measured cold.
 * @param ms for each of them
 */
export async function warmUp(ms: number, programs: readonly ((ms: number) => Promise<unknown>)[]): Promise<void> {
  for (let left = ms; left > 0; left -= TURN_MS) for (const run of programs) await run(Math.min(left, TURN_MS));
}

/** A call that any of the bench's servers understands. */
export const callOf =
  (name: string, more: Record<string, unknown> = {}) =>
  (tag: string): Record<string, unknown> => ({ name, arguments: { message: tag, name: tag, ...more } });
