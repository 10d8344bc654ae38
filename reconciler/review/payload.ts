/** What forges say, as it is documented; whatever else it is, it is refused. */
import { z } from 'zod';
import { SlipwayError } from '../../schemas/errors.ts';

/** @throws SlipwayError bad-request */
export function parseHookJson<T>(body: Buffer, read: (payload: unknown) => T): T {
  let payload: unknown;
  try {
    payload = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new SlipwayError('bad-request', 'The delivery is not JSON in UTF-8.', {
      hint: 'Choose application/json as the content type of the webhook.',
    });
  }
  try {
    return read(payload);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const where = error.issues[0]?.path.join('.') ?? '';
    throw new SlipwayError('bad-request', `The delivery is not as its forge documents it${where && `: ${where}`}.`);
  }
}
