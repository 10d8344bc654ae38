/** How plain requests are answered: as by node:http; and how the connections live and end that they come over. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { ANSWERS, asked, clock, decoded, HELLO, isPlain, OK, ours, still, Talk, theirs } from './helpers/talks.ts';

test.each(Object.entries(ANSWERS))('answered as node:http does it: %s', async (_, [status, body, ...steps]) => {
  const told = async (open: typeof ours | typeof theirs) => {
    const door = await open((__, response) => steps.forEach((step) => void step(response)));
    const talk = await Talk.with(door);
    for (let times = 0; times < 2 && !talk.isOver; times++) await talk.ask(HELLO);
    expect(talk.seen.every((request) => isPlain(request) === (open === ours))).toBe(true);
    return { isOver: talk.isOver, answers: talk.answers.map(decoded) };
  };
  const [mine, other] = [await told(ours), await told(theirs)];
  expect(mine).toEqual(other);
  const one = { status, body: Buffer.from(body).toString('latin1') };
  expect(mine.answers).toMatchObject(mine.isOver ? [one] : [one, one]);
});

describe('one answer', () => {
  /** @returns how often the system was called to send something */
  function sends(socket: Socket): () => number {
    const [one, many] = [vi.spyOn(socket, '_write'), vi.spyOn(socket, '_writev' as '_write')];
    return () => one.mock.calls.length + many.mock.calls.length;
  }

  test('head and body leave together, be it one or many parts', async () => {
    const { talk, response, responses } = await asked();
    const sent = sends(talk.server);
    response.writeHead(200, OK);
    expect(sent()).toBe(0);
    response.end('ok');
    expect(sent()).toBe(1);
    await talk.ask(HELLO);
    responses[1]?.writeHead(200, OK);
    responses[1]?.cork();
    for (const part of ['o', 'k']) responses[1]?.write(Buffer.from(part));
    expect(sent()).toBe(1);
    responses[1]?.end();
    expect(sent()).toBe(2);
    await talk.ask(HELLO);
    responses[2]?.write(Buffer.from('ok'));
    expect(sent()).toBe(3);
    responses[2]?.end();
    await talk.ask('');
    expect(talk.answers.map((answer) => decoded(answer).body)).toEqual(['ok', 'ok', 'ok']);
  });

  test('a head is sent at once where it is to be, and only once', async () => {
    const { talk, response } = await asked();
    response.writeHead(200);
    expect(response.headersSent).toBe(true);
    expect(() => response.writeHead(200)).toThrow('has been sent');
    response.flushHeaders();
    response.flushHeaders();
    await talk.ask('');
    expect(talk.answers).toMatchObject([{ status: 200, body: '' }]);
    response.end();
    await talk.ask('');
    expect(talk.answers).toMatchObject([{ status: 200, body: '0\r\n\r\n' }]);
  });

  test.each(['a\r\nb: c', 'a\nb', 'a\rb', 'a\0b', 'a\u0100b', 'a\u007fb'])(
    'a header that none may be (%j) is refused, and another answer can be given',
    async (value) => {
      const { talk, response } = await asked();
      expect(() => response.writeHead(200, { ...OK, X: value })).toThrow(TypeError);
      response.setHeader('Y', value);
      expect(() => response.writeHead(200, OK)).toThrow(TypeError);
      response.setHeader('Y', 'y');
      response.requestId = value;
      expect(() => response.end('ok')).toThrow(TypeError);
      response.requestId = 'r';
      expect([response.headersSent, response.writableEnded, await talk.ask('')]).toEqual([false, false, '']);
      response.writeHead(500, { 'Content-Length': 2 });
      response.end('no');
      await talk.ask('');
      expect(talk.answers).toMatchObject([{ status: 500, body: 'no' }]);
      expect(talk.answers[0]?.headers).toEqual(expect.arrayContaining(['x-request-id: r', 'y: y']));
    },
  );

  test.each([
    ['text', {}, 'x'.repeat(1_000_000)],
    ['bytes', {}, Buffer.alloc(1_000_000, 'x')],
    ['text of known length', { 'Content-Length': 100_000_000 }, 'x'.repeat(1_000_000)],
    ['bytes of known length', { 'Content-Length': 100_000_000 }, Buffer.alloc(1_000_000, 'x')],
  ])('who does not read %s is not written to without end, until it reads again', async (_, headers, part) => {
    const { talk, response, drained } = await asked();
    talk.client.pause();
    response.writeHead(200, headers);
    let written = 0;
    do {
      drained.mockClear();
      do written++;
      while (response.write(part) && written < 100);
      await still(talk);
    } while (drained.mock.calls.length > 0 && written < 100);
    expect(written).toBeLessThan(100);
    expect(response.writableLength).toBeGreaterThan(0);
    talk.client.resume();
    await once(response, 'drain');
    expect(response.writableLength).toBe(0);
    response.end('!');
    await talk.ask('');
    expect(talk.answers.map(decoded)).toMatchObject([{ body: `${'x'.repeat(written * 1_000_000)}!` }]);
  });

  test.each([
    ['all of it has been read', (client: Socket) => client.resume(), 20_000_000],
    ['the client leaves before', (client: Socket) => client.resetAndDestroy(), 0],
  ])('it is closed once, when %s, and what comes after its end comes too late', async (_, act, length) => {
    const { talk, response, closed } = await asked();
    talk.client.pause();
    response.end('x'.repeat(20_000_000));
    await still(talk);
    expect(closed).not.toHaveBeenCalled();
    expect([response.writableEnded, response.destroyed, response.write('more')]).toEqual([true, false, true]);
    response.end('more');
    act(talk.client);
    await once(response, 'close');
    await talk.ask('');
    expect([response.destroyed, response.writableLength]).toEqual([true, 0]);
    expect(talk.answers.reduce((all, { body }) => all + body.length, 0)).toBe(length);
    talk.client.destroy();
    await still(talk);
    expect(closed).toHaveBeenCalledOnce();
  });

  test.each<[how: string, leave: (client: Socket) => void, text?: string]>([
    ['hangs up', (client) => client.destroy()],
    ['breaks off', (client) => client.resetAndDestroy()],
    ['says that nothing more will come', (client) => client.end()],
    ['has asked for more, and hangs up', (client) => client.destroy(), HELLO + HELLO],
  ])('a client that %s has gone, and what is written then is no error', async (_, leave, text) => {
    const { talk, response, responses, closed } = await asked({ text });
    response.writeHead(200);
    response.write('a');
    const gone = once(response, 'close');
    leave(talk.client);
    // As long as nobody has noticed, and then.
    response.write('b');
    await gone;
    expect([response.destroyed, talk.server.destroyed]).toEqual([true, true]);
    for (const chunk of ['c', Buffer.from('d')]) expect(response.write(chunk)).toBe(true);
    response.flushHeaders();
    response.end('e');
    response.destroy();
    await still(talk);
    expect(closed).toHaveBeenCalledOnce();
    expect(responses).toHaveLength(1);
  });
});

describe('closing', () => {
  test('who asks nothing is sent away at once, who waits for an answer gets it first, and then it is closed', async () => {
    const { door, talk, response, responses } = await asked();
    const [silent, idle, half] = [await Talk.with(door), await Talk.with(door), await Talk.with(door)];
    await Promise.all([idle.ask(HELLO), half.ask(HELLO.slice(0, -1))]);
    responses[1]?.end();
    await idle.ask('');
    let isClosed = false;
    const closed = door.listener.close().then(() => (isClosed = true));
    await Promise.all([silent.over(), idle.over()]);
    await still(talk, half);
    expect([talk.isOver, half.isOver, isClosed]).toEqual([false, false, false]);
    response.end('late');
    await talk.over();
    expect(talk.answers.at(-1)).toMatchObject({ status: 200, body: 'late' });
    await half.ask('o');
    expect(isClosed).toBe(false);
    responses[2]?.end('later');
    await half.over();
    expect(half.answers.at(-1)).toMatchObject({ status: 200, body: 'later' });
    await closed;
    expect(door.seen.map(isPlain)).toEqual([true, true, true]);
  });

  test('what waits behind the one that is answered is not begun any more', async () => {
    const { door, talk, response, responses } = await asked({ text: HELLO + HELLO });
    const closed = door.listener.close();
    response.end('ok');
    await Promise.all([closed, talk.over()]);
    expect([talk.answers.length, responses.length]).toEqual([1, 1]);
  });

  test('a cut ends all, whoever reads it', async () => {
    const { door, talk, response } = await asked();
    const others = await Promise.all([1, 2, 3, 4].map(() => Talk.with(door)));
    const texts = ['', HELLO, HELLO.slice(0, -1), `GET / HTTP/1.1\r\n${HELLO.slice(20)}`];
    response.write('a');
    await Promise.all(texts.map((text, at) => others[at]?.ask(text)));
    setImmediate(() => door.listener.cut());
    await Promise.all([
      once(response, 'close'),
      door.listener.close(),
      ...[talk, ...others].map((each) => each.over()),
    ]);
    expect(response.destroyed).toBe(true);
  });
});

describe('time', () => {
  test('who says nothing is sent away after 15 s, and who has been answered after 65 s, or a little later', async () => {
    const pass = clock();
    const door = await ours();
    const talks: Talk[] = [];
    const open = async (): Promise<void> => {
      const [silent, answered] = [await Talk.with(door), await Talk.with(door)];
      await answered.ask(HELLO);
      talks.push(silent, answered);
    };
    const after = async (ms: number): Promise<boolean[]> => {
      pass(ms);
      await still(...talks);
      return talks.map(({ isOver }) => !isOver);
    };
    await open();
    pass(4_999);
    await open();
    expect(await after(15_000)).toEqual([true, true, true, true]);
    expect(await after(1)).toEqual([false, true, false, true]);
    expect(await after(49_999)).toEqual([false, true, false, true]);
    // A request in between, and it begins anew.
    await talks[3]?.ask(HELLO);
    expect(await after(1)).toEqual([false, false, false, true]);
    expect(await after(64_999)).toEqual([false, false, false, true]);
    expect(await after(1)).toEqual([false, false, false, false]);
    expect(door.seen.map(isPlain)).toEqual([true, true, true]);
  });

  test('who waits for an answer may do so as long as it takes, and then begins to be idle', async () => {
    const pass = clock();
    const { talk, response } = await asked();
    pass(1_000_000);
    response.end('at last');
    await talk.ask('');
    pass(65_000);
    await still(talk);
    expect([talk.answers[0]?.body, talk.isOver]).toEqual(['at last', false]);
    pass(5_000);
    await talk.over();
  });

  test.each([HELLO.slice(0, 30), HELLO.slice(0, -1), `${HELLO}${HELLO.slice(0, 30)}`])(
    'a request that is half there after 5 to 10 s is left to node:http, which waits for the rest (%j)',
    async (half) => {
      const pass = clock();
      const door = await ours();
      const rest = HELLO.slice(half.length % HELLO.length);
      const [fast, slow] = [await Talk.with(door), await Talk.with(door)];
      await Promise.all([fast.ask(half), slow.ask(half)]);
      const before = fast.answers.length;
      pass(9_999);
      await fast.ask(rest);
      pass(1);
      await still(slow);
      await slow.ask(rest + HELLO);
      for (const { answers } of [fast, slow]) expect(answers[before]).toMatchObject({ status: 200 });
      expect(fast.seen.map(isPlain)).toEqual([true, true].slice(0, before + 1));
      expect(slow.seen.map(isPlain).slice(before)).toEqual([false, false]);
      // That one looks after its connections itself.
      pass(1_000_000);
      await slow.ask(HELLO);
      expect(slow.answers).toHaveLength(before + 3);
    },
  );
});

describe('a client that does not hang up after the last answer', () => {
  test.each([
    ['later', HELLO, HELLO],
    ['before', HELLO + HELLO, ''],
  ])('is hung up on, and what it says %s is not handled', async (_, text, more) => {
    const pass = clock();
    const { talk, response, responses } = await asked({ half: true, text });
    response.writeHead(200, { 'Content-Length': 0, Connection: 'close' });
    response.end();
    await still(talk);
    talk.say(more);
    await still(talk);
    pass(10_000);
    await still(talk);
    expect(responses).toHaveLength(1);
    expect(talk.server.destroyed).toBe(true);
  });

  test('holds up nobody who closes', async () => {
    const { door, talk, response } = await asked({ half: true });
    let isClosed = false;
    void door.listener.close().then(() => (isClosed = true));
    response.end();
    await still(talk);
    expect(isClosed).toBe(true);
  });
});
