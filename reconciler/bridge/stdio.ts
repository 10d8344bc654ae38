/** A running stdio server, whatever runs it: a child process today, an attached container just as well. */
import type { Readable, Writable } from 'node:stream';

export interface StdioProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly pid?: number;
  /** Resolves when it has ended and its output is drained: why, in words. Never rejects. */
  readonly ended: Promise<string>;
  /** Brings it to an end, gently first. Resolves when it is gone, and everything that it started too. */
  stop(): Promise<void>;
}

/** Starts one run of the server. @throws SlipwayError */
export type Start = () => Promise<StdioProcess>;
