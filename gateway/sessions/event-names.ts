/**
 * What events are called (`Last-Event-ID`): their stream, their number on it, and which requests the stream is to answer. A gateway that has
 * forgotten the stream, in a restart for one, can so fail these requests instead of leaving their client to listen for ever.
 */
import { randomBytes } from 'node:crypto';
import type { Id } from '../../schemas/jsonrpc.ts';

/** Ids of requests that take more than this are not in the name (characters). */
const MOST = 512;
const NAME = /^([0-9a-f]{12}(?:\.([\w-]*))?)-(\d{1,9})$/;

/** One event. */
export interface Place {
  readonly stream: string;
  readonly number: number;
  /** The requests that its stream is to answer: none where the name has no room for them; absent for a stream that answers none. */
  readonly about: readonly Id[] | undefined;
}

/** For a new stream. @param about absent where it answers no request */
export function streamName(about?: readonly Id[]): string {
  const own = randomBytes(6).toString('hex');
  if (!about) return own;
  const ids = Buffer.from(JSON.stringify(about)).toString('base64url');
  return `${own}.${ids.length > MOST ? '' : ids}`;
}

export const eventName = (stream: string, number: number): string => `${stream}-${number}`;

/** @returns `undefined` for what is no name of ours */
export function placeOf(name: string): Place | undefined {
  const [, stream, ids, number] = NAME.exec(name) ?? [];
  if (stream === undefined) return undefined;
  return { stream, number: Number(number), about: ids === undefined ? undefined : idsIn(ids) };
}

/** The client could have made it up, but only it hears of that. */
function idsIn(text: string): readonly Id[] {
  try {
    const ids: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string' || typeof id === 'number') : [];
  } catch {
    return [];
  }
}
