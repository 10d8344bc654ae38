/** `validateArguments`: what does not fit a tool's schema never reaches its server, and no schema can hold up the gateway. */
import { expect, test } from 'vitest';
import { session, start } from './helpers/gateway.ts';
import { httpUpstream, type Upstream } from './helpers/upstreams.ts';

const city = {
  type: 'object',
  properties: {
    city: { type: 'string' },
    days: { type: 'array', items: { type: 'integer' } },
    unit: { enum: ['C', 'F'] },
  },
  required: ['city'],
  additionalProperties: false,
};

/** A small text that takes 2^30 steps to check. */
const bomb = {
  $ref: '#/$defs/d0',
  $defs: Object.fromEntries([
    ...Array.from({ length: 30 }, (_, at) => {
      const $ref = `#/$defs/d${at + 1}`;
      return [`d${at}`, { allOf: [{ $ref }, { $ref }] }];
    }),
    ['d30', { type: 'object' }],
  ]),
};

async function calling(
  schema: object,
): Promise<{ up: Upstream; call: (args: object) => Promise<Answer> } & AsyncDisposable> {
  const up = await httpUpstream('up');
  up.tools.splice(0, up.tools.length, { name: 'echo', inputSchema: schema } as (typeof up.tools)[0]);
  const gateway = await start({
    servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000, validateArguments: true } },
  });
  const mine = await session(gateway.url);
  return {
    up,
    call: async (args) => {
      const { json } = await mine.rpc('tools/call', { name: 'up__echo', arguments: args });
      return json.result as unknown as Answer;
    },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]();
      await up[Symbol.asyncDispose]();
    },
  };
}

interface Answer {
  content: { text: string }[];
  isError?: boolean;
}

const calls = ({ seen }: Upstream): unknown[] =>
  seen.filter((message) => 'method' in message && message.method === 'tools/call');

test('arguments that do not fit are refused with the name of the field, and never reach the server', async () => {
  await using rig = await calling(city);
  const refusals: [object, string][] = [
    [{}, 'city is required'],
    [{ city: 1 }, 'city must be string'],
    [{ city: 'Ulm', days: [1, 'two'] }, 'days.1 must be integer'],
    [{ city: 'Ulm', unit: 'K' }, 'unit must be equal to one of the allowed values: C, F'],
    [{ city: 'Ulm', secret: 1 }, 'secret is not allowed'],
  ];
  for (const [args, words] of refusals) {
    const answer = await rig.call(args);
    expect(answer.isError).toBe(true);
    expect(answer.content[0]?.text).toBe(`Invalid arguments for up__echo: ${words}.`);
  }
  expect(calls(rig.up)).toHaveLength(0);
  expect((await rig.call({ city: 'Ulm', days: [1, 2], unit: 'C' })).isError).toBeUndefined();
  expect(calls(rig.up)).toMatchObject([{ params: { arguments: { city: 'Ulm', days: [1, 2], unit: 'C' } } }]);
});

test('without it, arguments pass untouched', async () => {
  await using up = await httpUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  await mine.rpc('tools/call', { name: 'up__echo', arguments: { text: 5, more: [null] } });
  expect(calls(up)).toMatchObject([{ params: { arguments: { text: 5, more: [null] } } }]);
});

const hostile: [string, object, object, string][] = [
  ['$ref bomb: a small schema that takes for ever', bomb, {}, 'could not be checked in time'],
  ['a schema that refers to itself', { $ref: '#' }, {}, 'could not be checked'],
  [
    'catastrophic pattern',
    { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } },
    { a: `${'a'.repeat(40)}!` },
    'could not be checked in time',
  ],
  [
    'a comparison of each with each',
    { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } },
    { a: Array.from({ length: 40_000 }, (_, index) => [index]) },
    'could not be checked in time',
  ],
  [
    'SSRF by a remote $ref',
    { type: 'object', properties: { a: { $ref: 'http://127.0.0.1:1/schema.json' } } },
    {},
    'refers to another document',
  ],
  ['a schema that is no schema', { type: 'nonsense' }, {}, 'its schema cannot be used'],
  [
    'a schema too deep',
    Array.from({ length: 100 }).reduce<object>((inner) => ({ not: inner }), {}),
    {},
    'too large or too deep',
  ],
];
for (const [attack, schema, args, words] of hostile)
  test(`${attack}: the call is refused, and soon`, async () => {
    await using rig = await calling(schema);
    await rig.call({}); // Prepares what can be prepared.
    const began = performance.now();
    const answer = await rig.call(args);
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(answer.isError).toBe(true);
    expect(answer.content[0]?.text).toContain(words);
    expect(calls(rig.up).length).toBeLessThanOrEqual(1);
  });

test('a schema that cannot be used is no fault of the arguments, and the answer says whose it is', async () => {
  await using rig = await calling({ type: 'object', properties: { a: { type: 'string', pattern: '^(?i)abc$' } } });
  const { text } = (await rig.call({ a: 'abc' })).content[0] as { text: string };
  expect(text).toMatch(
    /^The arguments of \S+ cannot be checked: its schema cannot be used: .* validateArguments of Server up\.$/s,
  );
  expect(text).not.toContain('Invalid arguments');
});

test('a schema of an older draft is read as such', async () => {
  const items = [{ type: 'string' }, { type: 'integer' }];
  const $schema = 'http://json-schema.org/draft-07/schema#';
  await using rig = await calling({ $schema, type: 'object', properties: { pair: { type: 'array', items } } });
  expect((await rig.call({ pair: ['a', 'b'] })).content[0]?.text).toContain('pair.1 must be integer');
});
