/** A server over stdio that tells how long its secrets are, and nothing else of them. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const { API_TOKEN = '', SMTP_USER = '', CREDENTIALS_DIRECTORY = '/run/secrets' } = process.env;
const password = readFileSync(`${CREDENTIALS_DIRECTORY}/smtp-password`, 'utf8');
const lengths = { API_TOKEN: API_TOKEN.length, SMTP_USER: SMTP_USER.length, 'smtp-password': password.length };

const answers = {
  initialize: () => ({
    protocolVersion: '2025-11-25',
    capabilities: { tools: {} },
    serverInfo: { name: 'keeper', version: '1.0.0' },
  }),
  ping: () => ({}),
  'tools/list': () => ({
    tools: [{ name: 'lengths', description: 'How long the secrets are.', inputSchema: { type: 'object' } }],
  }),
  'tools/call': () => ({ content: [{ type: 'text', text: JSON.stringify(lengths) }] }),
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined) return;
  const result = answers[method]?.();
  const answer = result ? { result } : { error: { code: -32601, message: 'no such method' } };
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...answer })}\n`);
});
