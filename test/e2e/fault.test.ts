/** A fault of Slipway's own, which nobody foresaw and nothing catches. */
import { expect, test } from 'vitest';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { isAlive, survivors } from '../helpers/processes.ts';
import { Desk } from '../helpers/slipway.ts';

/** Loaded into the program beside its own modules: a signal brings the fault. */
const FAULTS = {
  thrown: `process.on('SIGUSR2', () => { throw new Error('nobody foresaw this') })`,
  rejected: `process.on('SIGUSR2', () => void Promise.reject(new Error('nobody foresaw this')))`,
};

test.each(Object.entries(FAULTS))(
  'one that is %s stops the program in order, and no server is left',
  async (_, fault) => {
    await using desk = new Desk();
    desk.push({ 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
    const running = await desk.up([], { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(fault)}` });
    expect((await desk.sync()).code).toBe(0);
    const pid = (await desk.status()).servers[0]?.instances[0]?.pid ?? 0;
    expect(isAlive(pid)).toBe(true);

    running.child.kill('SIGUSR2');
    const { code, err } = await running.ended;
    expect(code).toBe(1);
    expect(err).toContain('something unexpected happened; stopping cause="Error: nobody foresaw this"');
    expect(await survivors([pid])).toEqual([]);
  },
);
