/** What Slipway must know of a forge. One file for each, and a line in `index.ts`. */
import type { HookRequest } from '../../../schemas/hooks.ts';
import type { VERDICTS } from '../../../schemas/status.ts';
import type { Delivery } from '../verify.ts';

export type Verdict = (typeof VERDICTS)[number];

/** What happened, as far as it matters here. Ids and names are what the sender says: nothing is taken from them but where to look. */
export type HookEvent =
  | { readonly type: 'push'; readonly ref: string; readonly repository: string; readonly defaultBranch?: string }
  | {
      readonly type: 'request';
      readonly number: number;
      readonly isOpen: boolean;
      /** Branch that it is to be merged into. */
      readonly into: string;
      readonly repository: string;
      readonly defaultBranch?: string;
    };

export interface Forge {
  /** Where it is, unless the config says otherwise. */
  readonly url: string;
  /** Headers of which a genuine delivery has at least one. */
  readonly signedBy: readonly string[];
  /** @returns the id that the forge gave the delivery @throws SlipwayError unauthorized */
  verify(delivery: Delivery): string | undefined;
  /** @returns undefined for an event that matters to nobody here @throws where the payload is not what the forge documents */
  read(headers: HookRequest['headers'], payload: unknown): HookEvent | undefined;
  /** The ref that a request's head can be fetched from, also that of a fork. */
  headRef?(number: number): string;
  /** Absent: nothing can be written there. */
  connect?(options: ConnectOptions): Promise<ForgeClient>;
}

export interface ConnectOptions {
  readonly url: string;
  /** `owner/name`. */
  readonly repository: string;
  readonly token: string;
}

export interface Report {
  readonly verdict: Verdict;
  /** One line. */
  readonly summary: string;
  /** Where there is more. */
  readonly url?: string;
}

export interface NewRequest {
  readonly branch: string;
  readonly into: string;
  readonly title: string;
  readonly text: string;
}

/** Calls throw SlipwayError `forge-unreachable` or `forge-refused`; nothing of the token is in them. */
export interface ForgeClient {
  /** Writes the comment that begins with the marker anew, or makes it. @returns its address for people */
  comment(number: number, marker: string, text: string): Promise<string>;
  /** Sets the commit status `slipway/plan`. */
  report(commit: string, report: Report): Promise<void>;
  /** Opens a pull request. @returns its address for people */
  open(request: NewRequest): Promise<string>;
}

export const STATUS_CONTEXT = 'slipway/plan';
