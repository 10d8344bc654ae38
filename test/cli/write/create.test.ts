/** Flags that say everything a kind has. */
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { KINDS } from '../../../schemas/kinds/index.ts';
import type { Kind } from '../../../schemas/kinds/kind.ts';
import { Folder } from './folder.ts';

test('create says everything by flags', async () => {
  using folder = new Folder();
  const args = [
    'create',
    'srv',
    'db',
    '--command',
    'node',
    '--command',
    '--fast',
    '--transport',
    'http',
    '--http.port',
    '8080',
    '--env',
    'A=b=c,d',
    '--env',
    'name=T,valueFrom.secretRef.name=s,valueFrom.secretRef.key=k',
    '--env',
    '{ name: J, value: "{}" }',
    '--labels',
    'team=core',
    '--labels',
    'example.com/x=y',
    '--enabled=false',
    '--validateArguments',
    '--rollout.maxSurge',
    '50%',
    '--isolation.egress.allow',
    'a.example.com:443',
    '--probes.liveness.ping',
    '--probes.readiness.call.tool',
    't',
    '--probes.readiness.call.arguments',
    'n=5',
    '--description',
    'a: b',
  ];
  await folder.run(['create', 'secret', 's', '--data', 'k.env=K', '--data', 'a.b.file=/x']);
  const { out, err } = await folder.run([...args, '-o', 'json']);
  expect(err).toBe('');
  expect(JSON.parse(out)).toEqual([
    {
      apiVersion: 'slipway/v1',
      kind: 'Server',
      metadata: { name: 'db', labels: { team: 'core', 'example.com/x': 'y' } },
      spec: {
        description: 'a: b',
        command: ['node', '--fast'],
        transport: 'http',
        http: { port: 8080 },
        env: [
          { name: 'A', value: 'b=c,d' },
          { name: 'T', valueFrom: { secretRef: { name: 's', key: 'k' } } },
          { name: 'J', value: '{}' },
        ],
        enabled: false,
        validateArguments: true,
        probes: { readiness: { call: { tool: 't', arguments: { n: 5 } } }, liveness: { ping: {} } },
        rollout: { maxSurge: '50%' },
        isolation: { egress: { allow: ['a.example.com:443'] } },
      },
    },
  ]);
  expect(folder.read('secrets/s.yaml')).toBe(
    'apiVersion: slipway/v1\nkind: Secret\nmetadata: { name: s }\nspec:\n  data:\n    k: { env: K }\n    a.b: { file: /x }\n',
  );
  const help = (await folder.run(['create', 'server', '--help'])).out;
  expect(help).toMatch(/--replicas <number> +How many instances to run\. \(default: 1\)/);
  expect(help).toMatch(/--transport <stdio\|http\|sse>/);
});

test('one of several shapes is said by its fields, too', async () => {
  using folder = new Folder();
  const args = ['--stages', 'type=paginate,pageSize=400', '--stages', 'type=toon', '--stages', '{ type: truncate }'];
  expect((await folder.run(['create', 'pipeline', 'short', ...args])).err).toBe('');
  expect(parse(folder.read('pipelines/short.yaml'))).toMatchObject({
    spec: { stages: [{ type: 'paginate', pageSize: 400 }, { type: 'toon' }, { type: 'truncate' }] },
  });
  const wrong = await folder.run(['create', 'pipeline', 'wrong', '--stages', 'type=pagnate']);
  expect(wrong.code).toBe(1);
});

test('every field that a schema knows is a flag, of every kind', async () => {
  using folder = new Folder();
  for (const kind of Object.values(KINDS) as Kind[]) {
    const { out, code } = await folder.run(['create', kind.kind.toLowerCase(), '--help']);
    expect(code).toBe(0);
    for (const field of Object.keys((kind.spec as unknown as { shape: object }).shape))
      expect(out, `${kind.kind}.${field}`).toMatch(new RegExp(`--(spec\\.)?${field}\\b`));
  }
});
