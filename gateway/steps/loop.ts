/** A server that is this gateway itself, by whatever name: each request would make another. */
import { randomBytes } from 'node:crypto';
import type { HttpRequest } from '../http/message.ts';
import { SlipwayError } from '../../schemas/errors.ts';

/** Names this process in requests to servers (`Via`, RFC 9110 §7.6.3), as a proxy is asked to. */
export const VIA = `1.1 slipway-${randomBytes(6).toString('hex')}`;

/** @throws SlipwayError `loop` for a request that went through here before */
export function checkLoop({ headers: { via } }: HttpRequest): void {
  if (via?.includes(VIA)) throw new SlipwayError('loop');
}
