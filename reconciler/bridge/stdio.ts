/** A running stdio server, whatever runs it: a child process or an attached container. */
import type { Readable, Writable } from 'node:stream';
import type { LogFile } from './log-file.ts';

export interface StdioProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly pid?: number;
  /** Resolves when it has ended and its output is drained: why, in words. Never rejects. */
  readonly ended: Promise<string>;
  /** Once it has ended: whether it went down with what ran it, and not by a fault of its own. */
  readonly outage?: boolean;
  /** Brings it to an end, gently first. Resolves when it is gone, and everything that it started too. */
  stop(): Promise<void>;
  /** Lets go of it without ending it. Absent where it cannot live without us. */
  detach?(): void;
  /** What a session with this very run agreed on before: it goes on, and there is no new handshake. */
  readonly agreed?: Agreed;
  /** Keeps what a new session agreed on, so that it can go on when Slipway starts again. */
  remember?(agreed: Agreed): void;
}

/** The server's answer to `initialize`, or to `server/discover` where it speaks MCP 2026-07-28. */
export type Agreed = Readonly<Record<string, unknown>>;

/** Starts one run of the server. @throws SlipwayError */
export type Start = () => Promise<StdioProcess>;

/** What a held instance is made with. */
export interface StdioInstanceOptions {
  readonly start: Start;
  readonly log: LogFile;
  readonly lifecycle: 'onDemand' | 'always';
  readonly idleTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly version: string;
  readonly onChange: () => void;
  /** It runs already, from before: it is taken over at once, whatever its lifecycle. */
  readonly adopted?: boolean;
}
