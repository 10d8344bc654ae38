/** Resources that nobody lists: which of the servers whose templates they fit is asked for them. */
import { expect, test } from 'vitest';
import { session, start } from './helpers/gateway.ts';
import { scripted } from './helpers/scripted.ts';

const reader = (name: string, uriTemplate: string, has: RegExp) =>
  scripted(
    name,
    { resources: {} },
    {
      'resources/list': () => ({ resources: [] }),
      'resources/templates/list': () => ({ resourceTemplates: [{ name, uriTemplate }] }),
      'resources/read': ({ uri }) =>
        has.test(String(uri)) ? { contents: [{ uri, text: `from ${name}` }] } : undefined,
    },
  );

test('the closest template is asked first, then the others that fit: of one that two servers have, each may have a part', async () => {
  const ups = {
    loose: await reader('loose', 'db://{table}', /^db:\/\/[^/]+$/),
    close: await reader('close', 'db://{table}/rows/{id}', /rows\/\d+$/),
    twin: await reader('twin', 'db://{table}/rows/{id}', /rows\/\d+x$/),
    other: await reader('other', 'file:///{path}', /./),
  };
  const servers = Object.fromEntries(Object.entries(ups).map(([name, { endpoint }]) => [name, endpoint]));
  await using gateway = await start({ servers });
  const mine = await session(gateway.url);
  await mine.rpc('resources/templates/list');
  const read = async (uri: string): Promise<unknown> => {
    const { result, error } = (await mine.rpc('resources/read', { uri })).json;
    return (result?.['contents'] as { text: string }[] | undefined)?.[0]?.text ?? error?.message;
  };
  expect(await read('db://users')).toBe('from loose');
  expect(await read('db://users/rows/1')).toBe('from close');
  expect(await read('db://users/rows/1x')).toBe('from twin');
  // What nobody has is refused as the closest said it, and nobody was asked whose templates it does not fit.
  expect(await read('db://users/rows/none')).toBe('close has no resources/read');
  expect(ups.other.done.filter(({ method }) => method === 'resources/read')).toEqual([]);
});
