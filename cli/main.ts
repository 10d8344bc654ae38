#!/usr/bin/env node
/** The program: what it gets from its process, and how it ends. */
import { processIo } from './io.ts';
import { run } from './run.ts';

const stop = new AbortController();
const io = processIo(stop.signal);
let interrupted = 0;
process.on('SIGINT', () => {
  // A second Ctrl-C, not the same one that reached us on two ways, means now.
  if (interrupted > 0 && performance.now() - interrupted > 500) process.exit(130);
  interrupted ||= performance.now();
  stop.abort();
});
process.on('SIGTERM', () => stop.abort());
// A fault of ours must not leave servers behind: everything is still brought to its end.
const stopAtFault = (error: unknown): void => {
  const isDebugged = process.argv.includes('--debug') || process.env['SLIPWAY_DEBUG'];
  io.log('error', 'something unexpected happened; stopping', {
    cause: error instanceof Error && isDebugged ? error.stack : String(error),
  });
  process.exitCode = 1;
  stop.abort();
};
process.on('unhandledRejection', stopAtFault);
process.on('uncaughtException', stopAtFault);
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `slipway get … | head` closes the pipe early; that is no error.
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`slipway: the output cannot be written: ${error.message}\n`);
  process.exit(1);
});

// Whoever read the log has gone, or the disk is full: what serves goes on, and must not stumble over its own complaint.
process.stderr.on('error', () => {});

const code = await run(process.argv.slice(2), io);
process.exitCode ||= code;
