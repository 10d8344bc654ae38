/** What forges send to `/hooks/git`. The gateway's listener carries it, and knows nothing of what it says; the reconciler answers. */

export interface HookRequest {
  /** What stands below `/hooks/git/`; empty for the path itself. */
  readonly path: string;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Reads the body, once. @throws SlipwayError `body-too-large`, `request-timeout`, `cancelled` */
  body(maxBytes: number): Promise<Buffer>;
}

/** Sent as JSON. */
export interface HookAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** @throws SlipwayError `not-found`, `unauthorized`, and what else there is to refuse */
export type Hooks = (request: HookRequest) => Promise<HookAnswer>;
