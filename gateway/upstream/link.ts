/** What all ways of reaching an upstream have in common. */
import { SlipwayError, type ErrorCode } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/modern.ts';
import type { Client, Connection, ConnectionHandlers } from '../../schemas/peer.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import type { Authorization } from './auth/authorization.ts';
import type { Capabilities } from './known.ts';

/** The largest single message taken from an upstream (bytes). */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** How long a server over HTTP may take to accept a message that no answer is due to; a call has its own limit (ms). */
export const NOTICE_TIMEOUT = 10_000;

/** `onClose` is called when the connection cannot be used any more; not after its user closed it. */
export interface LinkHandlers extends ConnectionHandlers {
  onClose(): void;
  /** The server had forgotten us, and has taken us up again as somebody new. */
  onReopen(welcome: Welcome): void;
}

/** Whom something is for that an upstream said unasked. */
export interface Audience {
  /** The one client it can be for. */
  readonly client: Client | undefined;
  /** Whether calls are running there; with no single client, it may then be for any of several. */
  readonly busy: boolean;
  /** The principal whose call has just ended: it can be about that. */
  readonly after?: string;
  /** The one client that has the instance, where clients share none. */
  readonly holder?: string;
  /** Which of the server's instances says it (`Upstream.instance`). */
  readonly instance?: string;
  /** Whose credentials the instance was reached with, where everybody has their own. */
  readonly principal?: string | undefined;
}

/** What a server said about itself when it was met. */
export interface Welcome {
  /** Absent: legacy. */
  readonly era?: Era;
  readonly capabilities?: Capabilities;
  readonly instructions?: string;
}

/** The request never reached the upstream, so sending it again cannot do anything twice. */
export class NotDelivered extends SlipwayError {
  /** What clients have answered already (`RequestOptions.resume`): nobody is asked twice for one call. */
  resume: Readonly<Record<string, unknown>> | undefined;

  constructor(message: string, cause?: unknown, code: ErrorCode = 'upstream-unavailable') {
    super(code, message, { cause });
  }
}

/** The server is there, and does not take this one request: others may be taken. */
export class Refused extends SlipwayError {}

/** Statuses that speak of one request: of its form, of its size, or that it comes too soon. */
const REFUSALS: ReadonlySet<number> = new Set([400, 406, 411, 413, 414, 415, 422, 429, 431]);

/** What a request failed with that HTTP answered, and MCP did not. @param status of the HTTP response */
export function noAnswer(status: number, method: string): SlipwayError {
  if (REFUSALS.has(status)) return new Refused('upstream-unavailable', `The server answered HTTP ${status}.`);
  const message = status >= 300 ? `The server answered HTTP ${status}.` : `The server did not answer ${method}.`;
  return new SlipwayError('upstream-unavailable', message);
}

export interface OpenOptions {
  /** Whether nobody else may share what is opened. */
  readonly isolated?: boolean;
  /** How to get in, where that takes more than the address. */
  readonly authorization?: Authorization | undefined;
}

/** @throws NotDelivered when nobody answers at the address, or nobody lets us in */
export type Open = (endpoint: Endpoint, handlers: LinkHandlers, options?: OpenOptions) => Promise<Connection>;
