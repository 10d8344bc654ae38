/** Moving the listener while it serves. */
import { expect, test } from 'vitest';
import { principal, snapshot, start } from './helpers/gateway.ts';

const health = async (port: string): Promise<number> => (await fetch(`http://127.0.0.1:${port}/health`)).status;

test('the same port on another host: the old listener lets go of it, and takes it back if the new one fails', async () => {
  await using first = await start({});
  const { port } = new URL(first.url);
  await first[Symbol.asyncDispose](); // A port that is free now.
  await using gateway = await start(snapshot({ gateway: { listen: `127.0.0.1:${port}` } }));

  const open = snapshot({ gateway: { listen: `0.0.0.0:${port}` } });
  await expect(gateway.swap(open)).rejects.toMatchObject({ code: 'unsafe-listen' });
  expect(await health(port)).toBe(200);

  await gateway.swap(snapshot({ gateway: { listen: `0.0.0.0:${port}` }, principals: [principal('ada', 'slw_x')] }));
  expect(gateway.url).toContain(port);
  expect(await health(port)).toBe(200);

  await expect(
    gateway.swap(snapshot({ gateway: { listen: `192.0.2.1:${port}` }, principals: [principal('ada', 'slw_x')] })),
  ).rejects.toMatchObject({ code: 'listen-failed' });
  expect(await health(port)).toBe(200);
});
