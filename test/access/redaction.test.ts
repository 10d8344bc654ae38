/** What has the shape of a secret does not leave with results. The secrets here are made up, and put together so that no scanner minds. */
import { createServer } from 'node:http';
import { text as wholeText } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { redactText, redactValue, SECRET_KINDS } from '../../schemas/secret-shapes.ts';
import { ask } from '../gateway/helpers/modern.ts';
import { raw, session, start } from '../gateway/helpers/gateway.ts';
import { httpUpstream, socketUpstream } from '../gateway/helpers/upstreams.ts';
import { opened } from '../helpers/opened.ts';

const of = (length: number, letters = 'aB3dE6'): string => letters.repeat(length).slice(0, length);
const pem = (body: string): string => `-----BEGIN RSA ${'PRIVATE'} KEY-----${body}-----END RSA ${'PRIVATE'} KEY-----`;
const pgp = `-----BEGIN PGP ${'PRIVATE'} KEY BLOCK-----\nVersion: GnuPG v2\nComment: mine\n\nlQcYBGVcut+off/`;
const jwt = ['eyJ' + of(20), 'eyJ' + of(40), of(43)].join('.');

/** Kind → examples. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'private-key': [pem('\nMIIE\n'), pem('\\nMIIE\\n'), `-----BEGIN ${'PRIVATE'} KEY-----\nMIIEcut+off/`, pgp],
  'aws-access-key': ['AKIA' + of(16, 'ABCD23')],
  'aws-secret': [],
  'github-token': ['ghp_' + of(36), 'github_pat_' + of(60)],
  'gitlab-token': ['glpat-' + of(20)],
  'slack-token': ['xoxb-' + of(30)],
  'slack-webhook': ['https://hooks.slack.com/' + of(0) + 'services/' + of(40)],
  'google-api-key': ['AIza' + of(35)],
  'google-oauth': ['ya29.' + of(60), 'GOCSPX-' + of(28)],
  'anthropic-key': ['sk-ant-' + of(0) + 'api03-' + of(60)],
  'openai-key': ['sk-' + of(48), 'sk-proj-' + of(60)],
  'huggingface-token': ['hf_' + of(34)],
  'stripe-key': ['sk_live_' + of(24), 'whsec_' + of(32)],
  'npm-token': ['npm_' + of(36)],
  'pypi-token': ['pypi-' + of(80)],
  'sendgrid-key': ['SG.' + of(22) + '.' + of(43)],
  'digitalocean-token': ['dop_v1_' + of(64, 'a0f3')],
  'shopify-token': ['shpat_' + of(32, 'a0f3')],
  'databricks-token': ['dapi' + of(32, 'a0f3')],
  'vault-token': ['hvs.' + of(40)],
  'linear-key': ['lin_api_' + of(40)],
  'atlassian-token': ['ATATT3' + of(60)],
  'discord-token': ['M' + of(25) + '.' + of(6) + '.' + of(38)],
  'telegram-token': ['1234567890:' + of(35)],
  'age-key': ['AGE-SECRET-KEY-1' + of(58, 'QPZR9')],
  'slipway-token': ['slw_' + of(43)],
  jwt: [jwt],
  password: [],
  authorization: [],
  'azure-key': [],
};

describe('shapes', () => {
  test('each kind has its examples', () => expect(Object.keys(EXAMPLES).sort()).toEqual([...SECRET_KINDS].sort()));

  test.each(Object.entries(EXAMPLES))('%s', (kind, secrets) => {
    for (const secret of secrets)
      for (const around of [
        ['', ''],
        ['it is ', ', yes'],
        ['x=', '\n'],
        ['{"a":"', '"}'],
        ['line\\n', '\\n'],
        ['%3D', '&b'],
        ['\u001b[1;31m', '\u001b[0m'],
        ['\u001b[K', ''],
      ]) {
        const [before = '', after = ''] = around;
        const { text, count } = redactText(before + secret + after);
        expect([text.startsWith(`${before}[redacted:${kind}]`), count]).toEqual([true, 1]);
        expect(text).not.toContain(secret.slice(-8));
      }
  });

  test.each([
    ['postgres://app:s3cr@t@db:5432/x', 'postgres://app:[redacted:password]@db:5432/x'],
    ['redis://:hidden@cache', 'redis://:[redacted:password]@cache'],
    [`Authorization: Bearer ${of(30)}`, 'Authorization: Bearer [redacted:authorization]'],
    [`Authorization: Bearer ${jwt}`, 'Authorization: Bearer [redacted:jwt]'],
    [`aws_secret_access_key = ${of(40)}`, 'aws_secret_access_key = [redacted:aws-secret]'],
    [`AccountKey=${of(86)}==;`, 'AccountKey=[redacted:azure-key];'],
  ])('of %s only the secret goes', (text, expected) => expect(redactText(text)).toEqual({ text: expected, count: 1 }));

  test.each([
    'https://example.com:8443/a@b',
    'mailto:ada@example.com',
    'the eyJ prefix, ghp_short, sk-learn, AKIA, npm_config_registry',
    '0123456789abcdef0123456789abcdef01234567',
    '123e4567-e89b-12d3-a456-426614174000',
    'background-BEGIN PRIVATE KEY',
    'Bearer token',
  ])('%s stays', (text) => expect(redactText(text)).toEqual({ text, count: 0 }));

  /** Texts on which a careless pattern would take time without end; a few seconds are a thousand times what they take. */
  test.each([
    'eyJ',
    'eyJaaaaaaaaaaaa.',
    '=eyJaaaaaaaaaaa',
    '-----BEGIN PRIVATE KEY-----',
    '-----BEGIN A B C ',
    '://a:b',
    '://',
    'ghp_',
    '_ghp_',
    'sk-proj-',
    'Bearer ',
    '1',
    '12345678:',
    'MAAAAAAAAAAAAAAAAAAAAAAAA.',
    'SG.aaaaaaaaaaaaaaaaaaaaaa.',
    'ya29.',
    'pypi-',
    '\\n',
    'aws_secret_access_key',
    'aws_secret_access_key= ',
    'a',
    ' ',
  ])('1 MB of %j is read in time proportional to it', (unit) => {
    const whole = unit.repeat(Math.ceil(2 ** 20 / unit.length));
    const began = performance.now();
    redactText(whole);
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test('structure stays, bytes and names of fields are passed over, and what has no secret is the same value', () => {
    const secret = 'ghp_' + of(36);
    const image = { type: 'image', data: secret, mimeType: 'image/png' };
    const before = {
      content: [{ type: 'text', text: secret }, image],
      structuredContent: { [secret]: [1, null, { deep: secret }] },
    };
    const { value, count } = redactValue(before);
    const gone = '[redacted:github-token]';
    expect([count, value]).toEqual([
      2,
      { content: [{ type: 'text', text: gone }, image], structuredContent: { [secret]: [1, null, { deep: gone }] } },
    ]);
    const clean = { content: [{ type: 'text', text: 'hi' }], n: 1 };
    expect(redactValue(clean).value).toBe(clean);
  });
});

const secret = 'glpat-' + of(20);
const said = { name: 'up__echo', arguments: { text: `token ${secret}` } };
const wanted = [{ type: 'text', text: 'up:token [redacted:gitlab-token]' }];

describe('through the gateway', () => {
  test.each(['gateway', 'project', 'server'])('said by the %s', async (level) => {
    await using up = await socketUpstream('up', { all: true });
    const servers = ['up'];
    await using gateway = await start({
      servers: { up: { endpoints: [up.endpoint], ...(level === 'server' ? { redact: true } : {}) } },
      gateway: level === 'gateway' ? { redact: true } : {},
      routes: {
        '/projects/dev/mcp': {
          project: 'dev',
          servers,
          separator: '__',
          ...(level === 'project' ? { redact: true } : {}),
        },
      },
    });
    const path = '/projects/dev/mcp';
    const legacy = await session(gateway.url, { path });
    expect((await legacy.rpc('tools/call', said)).json.result?.['content']).toEqual(wanted);
    expect((await ask(gateway.url, 'tools/call', said, { path })).json.result?.['content']).toEqual(wanted);
    const { text } = await raw(gateway.url, { path: '/metrics' });
    expect(text).toContain('slipway_gateway_redactions_total{server="up"} 2');
    // A project's word counts in its own route.
    const other = await session(gateway.url);
    const seen = JSON.stringify((await other.rpc('tools/call', said)).json.result?.['content']);
    expect(seen.includes(secret)).toBe(level === 'project');
  });

  test('resources and errors are looked through as well; without the field, nothing is', async () => {
    await using up = await httpUpstream('up', { all: true });
    await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], redact: true } } });
    const mine = await session(gateway.url);
    const failed = await mine.rpc('tools/call', { name: 'up__fail', arguments: { text: secret } });
    expect(failed.json.error).toEqual({
      code: -32050,
      message: 'no',
      data: { why: 1, text: '[redacted:gitlab-token]' },
    });
    const read = await mine.rpc('resources/read', { uri: `mem://up/${secret}` });
    expect(read.json.result?.['contents']).toEqual([{ uri: 'mem://up/[redacted:gitlab-token]', text: 'from up' }]);
    await using plain = await start({ servers: { up: up.endpoint } });
    const free = await session(plain.url);
    expect(JSON.stringify((await free.rpc('tools/call', said)).json)).toContain(secret);
  });

  test('what a server says when it lets nobody in, or lists nothing, is looked through whatever the config says', async () => {
    const listener = createServer(async (request, response) => {
      const { id } = JSON.parse(await wholeText(request)) as { id?: number };
      const error = { code: -32_000, message: `bad credentials ${secret}` };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error }));
    });
    const endpoint = { id: 'up', transport: 'http' as const, address: `${await opened(listener)}/mcp` };
    await using gateway = await start({ servers: { up: endpoint } });
    const mine = await session(gateway.url);
    const requests: [string, object][] = [
      ['tools/list', {}],
      ['tools/call', { name: 'up__x', arguments: {} }],
      ['prompts/get', { name: 'up__x' }],
    ];
    // The last rounds find the breaker open.
    for (let round = 0; round < 7; round++)
      for (const [method, params] of requests) {
        const answer = await mine.rpc(method, params);
        expect([method, answer.text.includes(secret)]).toEqual([method, false]);
        if (method === 'tools/list') expect(answer.text).toContain('[redacted:gitlab-token]');
      }
    expect(JSON.stringify(gateway.upstreams('up'))).toMatch(/redacted:gitlab-token/);
  });
});
