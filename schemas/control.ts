/** What the CLI asks a running Slipway (`/api/v1/…`). The reconciler answers; the gateway's listeners carry it. */
export interface ControlRequest {
  readonly method: string;
  /** Below `/api/v1`: `/status`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

export interface ControlResponse {
  readonly status: number;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent line by line as it comes, instead of `body`. */
  readonly lines?: AsyncIterable<string>;
}

export type Control = (request: ControlRequest) => Promise<ControlResponse>;
