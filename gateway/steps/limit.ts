/** How many requests a caller may have, and how many at once. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Known, Limited } from '../exchange.ts';
import type { Permit } from '../limits/limiter.ts';
import type { Slot } from '../limits/meter.ts';

/** What is larger is no notice, and hardly an answer to a question (bytes). */
const MAX_NOTICE = 64 * 1024;

/**
 * Serves a request within the limits of the gateway, of its project, and of who sends it. What it holds is given back when
 * it is answered to the end: a response that is still streamed is still work.
 * @throws SlipwayError `concurrency-limited`, `rate-limited`, and what `serve` throws
 */
export function limited(
  known: Known,
  project: string | undefined,
  serve: (left: Limited) => void | Promise<void>,
): void | Promise<void> {
  const { state, generation, identity, request } = known;
  const course = generation.limits.ofCaller(identity.key, project);
  if (course.counted.length === 0) return serve({ course, permit: undefined });
  // A client whose calls take up all its room must still be able to answer what they ask, and to take one back. What
  // such a body is shows when it is read, so small ones are read before they are refused.
  const later = mayBeNotice(request) && state.limiter.isFull(course.counted);
  const permit = state.limiter.admit(course.counted, later ? undefined : slotFor(request));
  return holding(permit, known.response, () => serve({ course, permit }));
}

async function holding(permit: Permit, response: ServerResponse, serve: () => void | Promise<void>): Promise<void> {
  try {
    await serve();
  } finally {
    if (isOut(response)) permit.release();
    else response.once('close', () => permit.release());
  }
}

/** Whether all of it is the system's to send, as it is at once with most answers; or nothing more of it will be. */
function isOut(response: ServerResponse): boolean {
  return response.destroyed || (response.writableEnded && response.writableLength === 0);
}

/** Who opens a stream with GET only listens. */
function slotFor({ method }: IncomingMessage): Slot {
  return method === 'GET' ? 'streams' : 'concurrency';
}

function mayBeNotice({ method, headers }: IncomingMessage): boolean {
  return method === 'POST' && Number(headers['content-length'] ?? Infinity) <= MAX_NOTICE;
}
