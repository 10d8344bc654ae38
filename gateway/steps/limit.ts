/** How many requests a caller may have, and how many at once. */
import type { ErrorCode } from '../../schemas/errors.ts';
import type { Trace } from '../audit/trace.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import type { Identity } from '../auth/identity.ts';
import type { Holder, Limited } from '../exchange.ts';
import type { Permit } from '../limits/limiter.ts';
import type { Slot } from '../limits/meter.ts';

/** Why a request came to nothing that was let in by the limits of its caller. */
const REFUSALS: ReadonlySet<string | undefined> = new Set<ErrorCode>(['rate-limited', 'concurrency-limited']);

/** What is larger is no notice, and hardly an answer to a question (bytes). */
const MAX_NOTICE = 64 * 1024;

/**
 * Lets a request in within the limits of the gateway, of its project, and of who sends it. What it takes of them it holds.
 * @param slot what it takes while it runs
 * @throws SlipwayError `concurrency-limited`, `rate-limited`
 */
export function limit(
  holder: Holder,
  { key }: Identity,
  project: string | undefined,
  slot: Slot = 'concurrency',
): Limited {
  const { state, generation, request } = holder;
  const course = generation.limits.ofCaller(key, project);
  if (course.counted.length === 0) return { course, permit: undefined };
  // A client whose calls take up all its room must still be able to answer what they ask, and to take one back. What
  // such a body is shows when it is read, so small ones are read before they are refused.
  const later = mayBeNotice(request) && state.limiter.isFull(course.counted);
  const permit = state.limiter.admit(course.counted, later ? undefined : slot);
  holder.held = permit;
  return { course, permit };
}

/** When a request is answered to the end: a response that is still streamed is still work. */
export function giveBack({ held, response, trace }: Holder): void {
  if (!held) return;
  settle(held, trace);
  if (isOut(response)) held.release();
  else response.once('close', () => held.release());
}

/** What came to nothing has taken nothing of rates. As a whole: a request whose parts were refused has had the others. */
export function settle(held: Permit, { allowed, deniedReason }: Trace): void {
  if (!allowed && REFUSALS.has(deniedReason)) held.refund();
}

/** Whether all of it is the system's to send, as it is at once with most answers; or nothing more of it will be. */
function isOut(response: HttpResponse): boolean {
  return response.destroyed || (response.writableEnded && response.writableLength === 0);
}

function mayBeNotice({ method, headers }: HttpRequest): boolean {
  return method === 'POST' && Number(headers['content-length'] ?? Infinity) <= MAX_NOTICE;
}
