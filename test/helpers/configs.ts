/** Small configs for tests, as text that a person could have written. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const HELLO_PROGRAM = readFileSync(
  fileURLToPath(new URL('../../examples/quickstart/servers/hello.mjs', import.meta.url)),
  'utf8',
);

/** A server that runs the quickstart's hello program with a greeting of its own. */
export function helloServer(name: string, greeting = 'Hello', more = ''): string {
  return `apiVersion: slipway/v1
kind: Server
metadata: { name: ${name} }
spec:
  command: [node, hello.mjs]
  files: [hello.mjs]
  env: [{ name: GREETING, value: ${greeting} }]
${more}`;
}

export const GATEWAY = `apiVersion: slipway/v1
kind: Gateway
metadata: { name: main }
`;
