/** Code of strangers, shut in: what it may do, what it cannot, and that nothing of it is left behind. */
import { describe, expect, test } from 'vitest';
import { runShutIn, type Ended, type Program } from '../../gateway/script/sandbox.ts';

const CAPS = { cpuMs: 300, memoryBytes: 32 * 2 ** 20, resultChars: 10_000, questionChars: 1_000 };
const PRELUDE = '({ ask, say }) => { globalThis.ask = ask; globalThis.say = say; }';

const run = (code: string, more: Partial<Program> = {}): Promise<Ended> =>
  runShutIn({
    as: 'script',
    code,
    name: 'script',
    prelude: PRELUDE,
    caps: CAPS,
    onAsked: async (question) => {
      if (question === 'no') throw new Error('You may not.');
      return `${question}!`;
    },
    ...more,
  });

const value = async (code: string): Promise<unknown> => {
  const ended = await run(code);
  if (!ended.ok) throw new Error(`${ended.why}: ${ended.message}`);
  return ended.json === undefined ? undefined : JSON.parse(ended.json);
};

describe('what a program is given', () => {
  test('returns, awaits, asks its host, and says something', async () => {
    expect(await value('return [1, { two: await ask("three") }];')).toEqual([1, { two: 'three!' }]);
    expect(await value('// a comment at the end')).toBeUndefined();
    const said: string[] = [];
    await run('say("one"); await null; say("two");', { onSaid: (text) => said.push(text) });
    expect(said).toEqual(['one', 'two']);
    expect(await value('return Promise.all([ask("a"), ask("b")]);')).toEqual(['a!', 'b!']);
  });

  test.each([
    ['\n\nnull.x;', { why: 'failed', message: "TypeError: cannot read property 'x' of null (line 3)" }],
    ['let a = ;', { why: 'failed', message: "SyntaxError: unexpected token in expression: ';' (line 1)" }],
    ['throw { code: 7 };', { why: 'failed', message: '{"code":7}' }],
    ['throw "enough";', { why: 'failed', message: 'enough' }],
    ['await ask("no");', { why: 'failed', message: expect.stringContaining('Error: You may not.') as string }],
    ['const a = {}; a.a = a; return a;', { why: 'failed', message: expect.stringContaining('circular') as string }],
    ['await new Promise(() => {});', { why: 'stuck' }],
    ['return "x".repeat(10_001);', { why: 'result' }],
    ['await ask("x".repeat(1_001));', { why: 'failed', message: expect.stringContaining('too much') as string }],
  ])('%s is told', async (code, failure) => {
    expect(await run(code)).toMatchObject({ ok: false, ...failure });
  });

  test('a module can import what it was given, and its default export is called', async () => {
    const code = 'import { twice } from "./lib/twice.js"; export default async (a, b) => twice(a.x + b);';
    const modules = { 'lib/twice.js': 'export const twice = (x) => x * 2;' };
    expect(await run(code, { as: 'module', modules, args: [{ x: 20 }, 1] })).toEqual({ ok: true, json: '42' });
    expect(await run('export const x = 1;', { as: 'module' })).toMatchObject({ ok: false, why: 'failed' });
    for (const name of ['std', 'os', 'node:fs', 'fs', 'data:text/javascript,1', 'file:///etc/passwd', '../up.js'])
      expect(await run(`return import(${JSON.stringify(name)});`)).toMatchObject({ ok: false, why: 'failed' });
  });
});

describe('what it cannot', () => {
  test.each([
    ['an infinite loop', 'while (true) {}'],
    ['one that catches everything', 'while (true) try { while (true) {} } catch {} finally { continue; }'],
    ['executors that swallow the interruption', 'while (true) new Promise(() => { for (let i = 0; i < 1e4; i++); });'],
    ['async functions that swallow it', 'while (true) (async () => { for (;;); })();'],
    ['a promise flood', 'const f = () => { Promise.resolve().then(f); }; f(); await new Promise(() => {});'],
    ['a flood of questions', 'while (true) ask("hi");'],
    [
      'questions for ever',
      'const f = () => ask("hi").then(f, f); for (let i = 0; i < 50; i++) f(); await new Promise(() => {});',
    ],
    ['a regular expression that backtracks', '/^(a+)+$/.test("a".repeat(40) + "b");'],
    ['a getter of what it throws', 'throw Object.defineProperty(new Error(), "message", { get() { for (;;); } });'],
    ['a toJSON', 'return { toJSON() { for (;;); } };'],
  ])('%s ends when its time is over', async (_, code) => {
    const began = performance.now();
    expect(await run(code)).toMatchObject({ ok: false, why: 'cpu' });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test.each([
    ['arrays', 'const a = []; while (true) a.push(new Array(1e5).fill(7));', 'memory'],
    ['buffers', 'const a = []; while (true) a.push(new ArrayBuffer(2 ** 20));', 'memory'],
    ['one buffer', 'return new ArrayBuffer(2 ** 31 - 1);', 'memory'],
    ['a string', 'return "x".repeat(2 ** 29);', 'memory'],
    ['a string that doubles', 'let s = "x"; while (true) s += s;', 'failed'],
    ['recursion', 'const f = () => f(); f();', 'failed'],
    ['deep JSON', 'JSON.parse("[".repeat(1e6));', 'failed'],
    ['deep code', 'new Function("return " + "(".repeat(1e5) + 1 + ")".repeat(1e5))();', 'failed'],
    ['deep proxies', 'let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x;', 'failed'],
  ])('a bomb of %s harms nobody but itself', async (_, code, why) => {
    expect(await run(code, { caps: { ...CAPS, cpuMs: 60_000 } })).toMatchObject({ ok: false, why });
    expect(process.memoryUsage().rss).toBeLessThan(1024 * 2 ** 20);
    expect(await value('return 1;')).toBe(1);
  });

  test('nothing of the host can be reached', async () => {
    const names = 'process require module Buffer WebAssembly fetch XMLHttpRequest setTimeout std os Deno performance';
    const code = `return ${JSON.stringify(names.split(' '))}.filter((name) => name in globalThis);`;
    expect(await value(code)).toEqual([]);
    const ways = [
      '(async () => {}).constructor',
      'ask.constructor',
      'say.constructor.constructor',
      'await ask("no").catch((error) => error.constructor.constructor)',
      'Object.getPrototypeOf(function* () {}).constructor',
    ];
    for (const way of ways) {
      const attempt = `const F = ${way}; const r = F("return this && typeof this.process")(); return r.next ? r.next().value : r;`;
      expect(await value(attempt), way).toBe('undefined');
    }
    const stack = await value('return ask("no").catch((error) => error.stack);');
    expect(stack).not.toMatch(/node:|file:|gateway/);
  });

  test('what it does to its own world changes none but its own', async () => {
    const pollute = `
      Object.prototype.polluted = 1; Array.prototype.push = () => 'evil'; JSON.stringify = () => '"evil"';
      Promise.prototype.then = () => {}; Object.prototype.toJSON = () => 'mine'; globalThis.Error = null;
      return { a: await ask("x") };`;
    expect(await value(pollute)).toBe('mine');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(JSON.stringify([].concat())).toBe('[]');
    expect(await value('return [typeof ({}).polluted, JSON.stringify({ a: 1 })];')).toEqual(['undefined', '{"a":1}']);
  });

  test('runs share compiled code and nothing else, one after the other or at once', async () => {
    const look = 'const before = typeof globalThis.mine; globalThis.mine = "x".repeat(2 ** 20); await ask("a"); ';
    const runs = Array.from({ length: 8 }, (_, at) => value(`${look} return [before, mine.length, ${at}];`));
    expect(await Promise.all(runs)).toEqual(runs.map((_, at) => ['undefined', 2 ** 20, at]));
    const most = 32 * 2 ** 20;
    const full = `const all = []; try { for (;;) all.push(new ArrayBuffer(2 ** 20)); } catch { return all.length; }`;
    const caps = { ...CAPS, memoryBytes: most, cpuMs: 60_000 };
    const counts = await Promise.all([run(full, { caps }), run(full, { caps }), run(full, { caps })]);
    expect(new Set(counts.map((ended) => JSON.stringify(ended))).size).toBe(1);
  });

  test('an answer that is larger than all its memory is refused instead', async () => {
    const onAsked = async (): Promise<string> => 'x'.repeat(CAPS.memoryBytes);
    expect(await run('return (await ask("a")).length;', { onAsked })).toMatchObject({
      ok: false,
      message: expect.stringContaining('more than fit') as string,
    });
  });
});
