/** What a running Slipway answers when it is asked what there is to lock. */
import type { Tool } from '../snapshot.ts';
import type { Artifact } from './lock.ts';

/** One server. */
export interface Offered {
  readonly server: string;
  readonly tools?: readonly Tool[];
  /** Why its tools are not known. */
  readonly why?: string;
  /** What exactly runs; absent where nobody knows. */
  readonly artifact?: Artifact;
}
