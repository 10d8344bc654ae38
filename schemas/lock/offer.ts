/** What a running Slipway answers when it is asked what there is to lock. */
import type { Tool } from '../snapshot.ts';
import type { Artifact } from './lock.ts';

/** One server. */
export interface Offered {
  readonly server: string;
  readonly tools?: readonly Tool[];
  /** Why its tools are not known. */
  readonly why?: string;
  /** What exactly runs; absent where there is nothing to know (a command, a URL), `unknown` where it could not be told just now. */
  readonly artifact?: Artifact | 'unknown';
}
