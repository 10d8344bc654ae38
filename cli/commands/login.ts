import { createInterface } from 'node:readline';
import { SlipwayError } from '../../schemas/errors.ts';
import { text, type Command } from '../command.ts';
import { credentialsPath, forget, keep, known } from '../credentials.ts';
import type { Io } from '../io.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'keep a token for a gateway, so that other commands find it',
  usage: '[url]',
  options: [
    { flags: '--token <token>', description: 'the token (default: read from stdin, where no history keeps it)' },
    { flags: '--list', description: 'show for which gateways a token is kept' },
  ],
  examples: ['slipway login https://mcp.example.com < token.txt', 'slipway login --list'],

  async run({ args: [server], options, io }) {
    if (options['list'] === true) {
      for (const one of known(io.env)) io.out(one);
      return 0;
    }
    if (server === undefined || !URL.canParse(server)) throw new SlipwayError('usage', 'Which gateway? Give its URL.');
    const token = text(options, 'token') ?? (await tokenFrom(io));
    if (!/^[\w.~+/=-]+$/.test(token)) throw new SlipwayError('usage', 'That is no bearer token.');
    await check(server, token, io);
    keep(new URL(server), token, io.env);
    io.err(`Logged in to ${server}; the token is in ${credentialsPath(io.env)}.`);
    return 0;
  },
};

/** The first line. */
async function tokenFrom(io: Io): Promise<string> {
  if (io.confirm) io.err('Paste the token, then press Enter:');
  using lines = createInterface({ input: io.input, terminal: false });
  for await (const line of lines) return line.trim();
  throw new SlipwayError('usage', 'No token was given.');
}

/** Whether the gateway knows the token. What the token may do there is another question. */
async function check(server: string, token: string, io: Io): Promise<void> {
  const { fetch } = await findTarget({ server, token }, io);
  const response = await fetch('http://slipway/mcp', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
  });
  await response.body?.cancel();
  if (response.status === 401) throw new SlipwayError('unauthorized', `${server} does not know this token.`);
}

export const logout: Command = {
  summary: 'forget the token for a gateway',
  usage: '<url>',
  examples: ['slipway logout https://mcp.example.com'],

  async run({ args: [server = ''], io }) {
    if (!URL.canParse(server)) throw new SlipwayError('usage', 'Which gateway? Give its URL.');
    const was = forget(new URL(server), io.env);
    io.err(was ? `Logged out of ${server}.` : `There was no token for ${server}.`);
    return 0;
  },
};
