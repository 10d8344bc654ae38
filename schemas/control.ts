/** What the CLI asks a running Slipway (`/api/v1/…`). The reconciler answers; the gateway's listeners carry it. */
import type { Grant } from './access.ts';
import { SlipwayError } from './errors.ts';

/** Who asks: it sees, and does, what its grant allows. */
export interface ControlCaller {
  /** `token:ci`, `user:ada`, `local`. */
  readonly key: string;
  readonly grant: Grant;
}

export interface ControlRequest {
  readonly method: string;
  /** Below `/api/v1`: `/status`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body?: unknown;
  readonly signal: AbortSignal;
  readonly caller: ControlCaller;
}

export interface ControlResponse {
  readonly status: number;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent line by line as it comes, instead of `body`. */
  readonly lines?: AsyncIterable<string>;
}

export type Control = (request: ControlRequest) => Promise<ControlResponse>;

/** One part of a path, as it is meant: `Server%2Fgithub` → `Server/github`. @throws SlipwayError `bad-request` */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new SlipwayError('bad-request', 'The path has a % in it that stands for nothing.', {
      hint: 'Write %25 for a percent sign.',
    });
  }
}
