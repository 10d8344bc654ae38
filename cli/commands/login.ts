import { createInterface } from 'node:readline';
import { SlipwayError } from '../../schemas/errors.ts';
import { text, type Command, type Options } from '../command.ts';
import { credentialsPath, forget, keep, known, locked, type Entry } from '../credentials.ts';
import type { Io } from '../io.ts';
import { byBrowser, Loopback } from '../login/browser.ts';
import { byDevice } from '../login/device.ts';
import { clientAt, failed, providerAt, scopeFor, wantedBy, type Journey } from '../login/provider.ts';
import { entryFrom, revoke, sessionOf } from '../login/session.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'log in to a gateway: at its identity provider, or with a token; other commands find it then',
  usage: '[url]',
  options: [
    { flags: '--web', description: 'at its identity provider, in a browser (default on a terminal, if it has one)' },
    { flags: '--device', description: 'the same in a browser on another device, with a code' },
    { flags: '--issuer <address>', description: 'which identity provider, where the gateway trusts several' },
    { flags: '--client-id <id>', description: 'as what this program is known there (default: it registers)' },
    {
      flags: '--scope <text>',
      description: 'OAuth scopes, apart by spaces (default: those that the gateway asks for)',
    },
    { flags: '--token <token>', description: 'a token (default where nobody sits: read from stdin)' },
    { flags: '--list', description: 'show for which gateways a token is kept' },
  ],
  examples: [
    'slipway login https://mcp.example.com --web',
    'slipway login https://mcp.example.com --device',
    'slipway login https://mcp.example.com < token.txt',
    'slipway login --list',
  ],

  async run({ args: [server], options, io }) {
    if (options['list'] === true) {
      for (const one of known(io.env)) io.out(one);
      return 0;
    }
    if (server === undefined || !URL.canParse(server)) throw new SlipwayError('usage', 'Which gateway? Give its URL.');
    const entry = (await atProvider(new URL(server), options, io)) ?? { token: await givenToken(options, io) };
    await check(server, entry.token, io);
    await locked(io, () => keep(new URL(server), entry, io.env));
    io.err(`Logged in to ${server}; the token is in ${credentialsPath(io.env)}.`);
    return 0;
  },
};

/** @returns `undefined` where a token is meant, or where the gateway sends people to nobody */
async function atProvider(server: URL, options: Options, io: Io): Promise<Entry | undefined> {
  const isAsked = options['web'] === true || options['device'] === true;
  if (isAsked && text(options, 'token') !== undefined)
    throw new SlipwayError('usage', 'Either --token, or --web or --device.');
  if (!isAsked && (!io.ask || text(options, 'token') !== undefined)) return undefined;
  const wanted = await wantedBy(server, io.signal);
  if (!wanted && isAsked)
    throw failed(`${server.origin} sends nobody to an identity provider.`, undefined, 'Log in with a token.');
  if (!wanted) return undefined;
  const issuer = text(options, 'issuer') ?? wanted.issuers[0] ?? '';
  if (!wanted.issuers.includes(issuer))
    throw new SlipwayError('usage', `${server.origin} does not trust ${issuer}.`, {
      hint: `It trusts ${wanted.issuers.join(', ')}.`,
    });
  const { signal } = io;
  const as = await providerAt(issuer, signal);
  const scope = scopeFor(as, text(options, 'scope')?.split(/[ ,]+/) ?? wanted.scopes);
  const clientId = text(options, 'clientId');
  if (options['device'] === true) {
    const client = await clientAt(as, clientId, undefined, signal);
    const journey: Journey = { as, client, resource: wanted.resource, scope, signal };
    return entryFrom(await byDevice(journey, io), sessionOf(journey));
  }
  await using loopback = await Loopback.open();
  const client = await clientAt(as, clientId, loopback.redirect, signal);
  const journey: Journey = { as, client, resource: wanted.resource, scope, signal };
  return entryFrom(await byBrowser(journey, loopback, io), sessionOf(journey));
}

async function givenToken(options: Options, io: Io): Promise<string> {
  const token = text(options, 'token') ?? (await tokenFrom(io));
  if (!/^[\w.~+/=-]+$/.test(token)) throw new SlipwayError('usage', 'That is no bearer token.');
  return token;
}

/** The first line. */
async function tokenFrom(io: Io): Promise<string> {
  if (io.confirm) io.err('Paste the token, then press Enter:');
  using lines = createInterface({ input: io.input, terminal: false });
  for await (const line of lines) return line.trim();
  throw new SlipwayError('usage', 'No token was given.', {
    hint: 'Pipe it in, or log in at the identity provider of the gateway: --web, or --device.',
  });
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
  summary: 'forget the token for a gateway; one of an identity provider is revoked there',
  usage: '<url>',
  examples: ['slipway logout https://mcp.example.com'],

  async run({ args: [server = ''], io }) {
    if (!URL.canParse(server)) throw new SlipwayError('usage', 'Which gateway? Give its URL.');
    const url = new URL(server);
    const was = await locked(io, () => forget(url, io.env));
    if (!was) io.err(`There was no token for ${server}.`);
    else if (!was.session) io.err(`Logged out of ${server}.`);
    else if (await revoke(was, io.signal)) io.err(`Logged out of ${server}, and of ${was.session.issuer}.`);
    else io.err(`Logged out of ${server}. ${was.session.issuer} did not take the token back: it ends by itself.`);
    return 0;
  },
};
