#!/usr/bin/env node
/** The program: what it gets from its process, and how it ends. */
import { processIo } from './io.ts';
import { run } from './run.ts';

const stop = new AbortController();
const interrupt = (): void => {
  // A second Ctrl-C means now.
  if (stop.signal.aborted) process.exit(130);
  stop.abort();
};
process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
// `slipway get … | head` closes the pipe early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), processIo(stop.signal));
