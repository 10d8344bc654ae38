/** What can be told about images without an engine: their names, how far a pull is, what refusals mean, what builds are given. */
import { writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { Flights } from '../../../../reconciler/drivers/docker/images/flights.ts';
import { npmRecipe } from '../../../../reconciler/drivers/docker/images/npm.ts';
import { follow, ProgressError, PullMeter } from '../../../../reconciler/drivers/docker/images/progress.ts';
import { pypiRecipe } from '../../../../reconciler/drivers/docker/images/pypi.ts';
import { buildAuthorities, buildSettings } from '../../../../reconciler/drivers/docker/images/recipe.ts';
import {
  digestIn,
  fullName,
  isSameImage,
  parseReference,
} from '../../../../reconciler/drivers/docker/images/reference.ts';
import { pullRefusal } from '../../../../reconciler/drivers/docker/images/refusals.ts';
import { chooseBin } from '../../../../reconciler/drivers/npm-package.ts';
import { silent } from '../../../../schemas/log.ts';
import { tempDir } from '../../../helpers/temp.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;

test.each([
  ['node', 'docker.io/library/node:latest'],
  ['node:24', 'docker.io/library/node:24'],
  ['docker.io/node:24', 'docker.io/library/node:24'],
  ['index.docker.io/library/node:24', 'docker.io/library/node:24'],
  ['acme/tool', 'docker.io/acme/tool:latest'],
  ['localhost/tool:1', 'localhost/tool:1'],
  ['localhost:5000/tool', 'localhost:5000/tool:latest'],
  ['127.0.0.1:5000/a/b/tool:1', '127.0.0.1:5000/a/b/tool:1'],
  ['ghcr.io/acme/tool:1.2', 'ghcr.io/acme/tool:1.2'],
  [`node@${DIGEST}`, `docker.io/library/node@${DIGEST}`],
  [`ghcr.io/acme/tool:1.2@${DIGEST}`, `ghcr.io/acme/tool@${DIGEST}`],
])('%s is %s', (image, full) => {
  expect(fullName(parseReference(image))).toBe(full);
  expect(fullName(parseReference(full))).toBe(full);
  expect(isSameImage(image, full)).toBe(true);
});

test('a digest of another repository is none of this one', () => {
  const known = [`ghcr.io/acme/tool@${OTHER}`, `node@${DIGEST}`];
  expect(digestIn(parseReference('node:24'), known)).toBe(DIGEST);
  expect(digestIn(parseReference('acme/tool'), known)).toBeUndefined();
  expect(digestIn(parseReference('node'), null)).toBeUndefined();
  const two = [`node@${OTHER}`, `node@${DIGEST}`];
  expect(digestIn(parseReference(`node@${DIGEST}`), two)).toBe(DIGEST);
});

test('progress: chunks cut anywhere, lines that are no JSON, an error in the middle, and a stream that breaks off', async () => {
  const text = '{"status":"Pulling","id":"ä1"}\nwarning\n\n{"error":"no such layer"}\n{"status":"after"}';
  const bytes = Buffer.from(text);
  const seen: unknown[] = [];
  const cut = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
  await expect(follow(Readable.from(cut), (progress) => seen.push(progress))).rejects.toThrow(
    new ProgressError('no such layer'),
  );
  expect(seen).toEqual([
    { status: 'Pulling', id: 'ä1' },
    { stream: 'warning\n' },
    { error: 'no such layer' },
    { status: 'after' },
  ]);
  const broken = new Readable({ read() {} });
  broken.push('{"status":"Pulling"}\n');
  const following = follow(broken, () => broken.destroy());
  await expect(following).rejects.toThrow(/Premature close/);
});

test('how much of a pull is done counts what is downloaded, layer by layer', () => {
  const meter = new PullMeter();
  expect(meter.done).toBeUndefined();
  const at = (id: string, current: number, total: number): void =>
    meter.note({ id, status: 'Downloading', progressDetail: { current, total } });
  at('a', 500_000, 1_000_000);
  at('b', 1_000_000, 3_000_000);
  meter.note({ id: 'a', status: 'Download complete' });
  meter.note({ id: 'a', status: 'Extracting', progressDetail: { current: 1, total: 1_000_000 } });
  meter.note({ status: 'Digest: …' });
  expect(meter.done).toEqual({ megabytes: 2, of: 4 });
});

const refusal = (statusCode: number, message: string): Error => Object.assign(new Error(message), { statusCode });

test.each([
  ['image-missing', refusal(404, 'manifest for acme/x:1 not found: manifest unknown: manifest unknown')],
  [
    'image-missing',
    refusal(
      404,
      "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    ),
  ],
  ['image-missing', new ProgressError('no matching manifest for linux/arm64/v8 in the manifest list entries')],
  ['image-missing', refusal(500, 'Get "https://r.example/v2/": unauthorized: incorrect username or password')],
  ['image-missing', refusal(500, 'errors: denied: 403 Forbidden')],
  ['image-missing', refusal(500, 'initializing source docker://r/x:1: reading manifest 1 in r/x: manifest unknown')],
  ['registry-unreachable', refusal(500, 'Get "https://r.example/v2/": dial tcp: lookup r.example: no such host')],
  ['registry-unreachable', refusal(500, 'Get "https://r.example/v2/": net/http: TLS handshake timeout')],
  ['registry-unreachable', refusal(500, 'received unexpected HTTP status: 503 Service Unavailable')],
  ['registry-unreachable', refusal(429, 'toomanyrequests: You have reached your pull rate limit.')],
  ['registry-unreachable', new ProgressError('filesystem layer verification failed for digest sha256:0')],
  ['registry-unreachable', new ProgressError('unexpected EOF')],
  ['engine-disk-full', new ProgressError('write /var/lib/docker/tmp/GetImageBlob1: no space left on device')],
  ['engine-unreachable', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })],
] as const)('%s: %s', (code, error) => {
  expect(pullRefusal(error, 'acme/x:1', undefined, (text) => text).code).toBe(code);
});

test('builds are given where packages come from, without any credentials', () => {
  const told: string[] = [];
  const env = {
    NPM_CONFIG_REGISTRY: 'https://npm.example/',
    npm_config__authToken: 'secret',
    'npm_config_//npm.example/:_authToken': 'secret',
    PIP_INDEX_URL: 'https://ada:secret@pypi.example/simple',
    PIP_EXTRA_INDEX_URL: 'https://one.example/simple https://ada:secret@two.example/simple',
    PIP_TRUSTED_HOST: 'pypi.example',
    HTTPS_PROXY: 'http://proxy.example:3128',
    PATH: '/bin',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  expect(buildSettings(npmRecipe, silent, env)).toEqual({
    npm_config_registry: 'https://npm.example/',
    HTTPS_PROXY: 'http://proxy.example:3128',
  });
  expect(buildSettings(pypiRecipe, (_, message) => told.push(message), env)).toEqual({
    PIP_TRUSTED_HOST: 'pypi.example',
    HTTPS_PROXY: 'http://proxy.example:3128',
  });
  expect(told).toEqual([
    'PIP_INDEX_URL holds credentials and is not given to builds',
    'PIP_EXTRA_INDEX_URL holds credentials and is not given to builds',
  ]);
});

test('every setting that a build is given is an argument of its Dockerfile', () => {
  for (const { dockerfile, settings, authorities } of [npmRecipe, pypiRecipe])
    for (const name of [...settings, authorities, 'BASE', 'OWNER', 'BUILD'])
      expect(dockerfile).toContain(`ARG ${name}\n`);
});

test('builds trust the authorities that Slipway was told to trust', () => {
  using dir = tempDir();
  writeFileSync(dir.at('company.pem'), 'a certificate');
  const told: string[] = [];
  const authorities = (env: NodeJS.ProcessEnv): unknown =>
    buildAuthorities(npmRecipe, (_, message) => told.push(message), env);
  expect(authorities({})).toEqual({ file: '', args: {} });
  expect(authorities({ NODE_EXTRA_CA_CERTS: dir.at('company.pem') })).toEqual({
    file: 'a certificate',
    args: { NODE_EXTRA_CA_CERTS: '/tmp/ca.pem' },
  });
  expect(authorities({ NODE_EXTRA_CA_CERTS: dir.at('missing.pem') })).toEqual({ file: '', args: {} });
  expect(told).toEqual(['NODE_EXTRA_CA_CERTS names a file that cannot be read']);
});

test('which program of an npm package', () => {
  const program = { name: '@acme/tool', version: '1.0.0' };
  expect(chooseBin({ bin: 'cli.js' }, program)).toEqual({ file: 'cli.js' });
  expect(chooseBin({ bin: { other: 'o.js' } }, program)).toEqual({ file: 'o.js' });
  expect(chooseBin({ bin: { other: 'o.js', tool: 't.js' } }, program)).toEqual({ file: 't.js' });
  expect(chooseBin({ bin: { one: '1.js', two: '2.js' } }, { ...program, bin: 'two' })).toEqual({ file: '2.js' });
  expect(chooseBin({}, program)).toEqual({ problem: '@acme/tool@1.0.0 has no program tool: it has none.' });
});

test('work in flight: shared, told to stop by the last who leaves, and begun anew after that', async () => {
  const flights = new Flights<string>();
  const begun: AbortSignal[] = [];
  const work = (signal: AbortSignal): Promise<string> => {
    begun.push(signal);
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      if (begun.length > 1) resolve('done');
    });
  };
  const one = new AbortController();
  const two = new AbortController();
  const first = flights.join('image', one.signal, work);
  const second = flights.join('image', two.signal, work);
  one.abort(new Error('one left'));
  await expect(first).rejects.toThrow('one left');
  expect(begun.map(({ aborted }) => aborted)).toEqual([false]);
  two.abort(new Error('two left'));
  await expect(second).rejects.toThrow('two left');
  expect(begun.map(({ aborted }) => aborted)).toEqual([true]);
  expect(await flights.join('image', new AbortController().signal, work)).toBe('done');
  await expect(flights.join('image', one.signal, work)).rejects.toThrow('one left');
  expect(begun).toHaveLength(2);
});
