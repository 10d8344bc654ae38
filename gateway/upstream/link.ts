/** What all ways of reaching an upstream have in common. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Connection, ConnectionHandlers } from '../../schemas/peer.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';

/** The largest single message taken from an upstream (bytes). */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** `onClose` is called when the connection cannot be used any more; not after its user closed it. */
export interface LinkHandlers extends ConnectionHandlers {
  onClose(): void;
}

/** The request never reached the upstream, so sending it again cannot do anything twice. */
export class NotDelivered extends SlipwayError {
  constructor(message: string, cause?: unknown) {
    super('upstream-unavailable', message, { cause });
  }
}

/** @throws NotDelivered when nobody answers at the address */
export type Open = (endpoint: Endpoint, handlers: LinkHandlers) => Promise<Connection>;
