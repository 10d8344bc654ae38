/** A server that a person must open first. */
import { NotDelivered } from '../link.ts';

/** Where a person can give their consent, and for how long. */
export interface Consent {
  /** Names it, so that a client can be told when it was given. */
  readonly id: string;
  readonly url: string;
}

/** The server let nobody in, so the request did nothing: after the consent it can be sent again. */
export class NeedsAuthorization extends NotDelivered {
  /** Whether the consent is for everybody who uses the server. */
  readonly shared: boolean;
  /**
   * Finds out where to go, and waits for who comes back from there. Only for somebody who may give the consent.
   * @throws SlipwayError `authorization-failed`
   */
  readonly begin: (signal: AbortSignal) => Promise<Consent>;

  constructor(message: string, shared: boolean, begin: NeedsAuthorization['begin']) {
    super(message, undefined, 'needs-authorization');
    this.shared = shared;
    this.begin = begin;
  }
}
