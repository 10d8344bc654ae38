/** What is kept of sessions over restarts of a gateway. */
import { z } from 'zod';

const text = z.string();
/** When the session ends by itself (unix time, ms). */
const until = z.number();

export const keptSessionsSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** Those that their clients ended: session, until. */
  ended: z.array(z.tuple([text, until])),
  /** From which level on they hear of logs: session, level, until. */
  levels: z.array(z.tuple([text, text, until])),
  /** Session, server, URI, until. */
  subscriptions: z.array(z.tuple([text, text, text, until])),
});
