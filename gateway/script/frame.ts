/** What stands between a program and its host, on the program's side: QuickJS runs this text before anything of theirs. */
export const FRAME = String.raw`(send, say, done) => {
  'use strict';
  const { stringify, parse } = JSON;
  const { Promise, Error, String, Object } = globalThis;
  const waiting = Object.create(null);
  let count = 0;
  const ask = (text) =>
    new Promise((resolve, reject) => {
      const id = ++count;
      const problem = send(id, text);
      if (problem !== undefined) return reject(new Error(problem));
      waiting[id] = { resolve, reject };
    });
  const receive = (id, ok, text) => {
    const { resolve, reject } = waiting[id];
    delete waiting[id];
    if (ok) resolve(text);
    else reject(new Error(text));
  };
  const inWords = (thrown) => {
    try {
      if (!(thrown instanceof Error)) return typeof thrown === 'string' ? thrown : stringify(thrown) ?? String(thrown);
      const theirs = String(thrown.stack).split('\n').find((line) => /:\d+(:\d+)?\)?$/.test(line) && !line.includes('slipway:'));
      const at = theirs === undefined ? undefined : /:(\d+)(?::\d+)?\)?$/.exec(theirs);
      return String(thrown) + (at ? ' (line ' + at[1] + ')' : '');
    } catch {
      return 'It threw what cannot be told.';
    }
  };
  const failed = (thrown) => done(false, inWords(thrown));
  const settle = async (run) => {
    let text;
    try {
      text = stringify(await run());
    } catch (thrown) {
      return failed(thrown);
    }
    done(true, text);
  };
  return {
    doors: { ask, say },
    receive,
    failed,
    script: (body) => settle(body),
    module: (exports, args, given) => settle(async () => (await exports).default(...parse(args), given)),
  };
}`;
