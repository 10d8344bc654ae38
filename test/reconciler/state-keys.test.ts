/** What is made once in the state directory: kept as it is, and never replaced behind anybody's back. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openState } from '../../reconciler/state.ts';
import { tempDir } from '../helpers/temp.ts';

test.for(['owner', 'session.key', 'vault.key'])('a damaged %s is told by its name, and left for a person', (name) => {
  using dir = tempDir();
  openState(dir.at('state'))[Symbol.dispose]();
  const path = dir.at(`state/${name}`);
  const whole = readFileSync(path, 'utf8');
  for (const text of ['', 'zz', whole.slice(2)]) {
    writeFileSync(path, text);
    expect(() => openState(dir.at('state'))).toThrow(`${path} is damaged`);
    expect(readFileSync(path, 'utf8')).toBe(text);
  }
  writeFileSync(path, `${whole}\n`);
  openState(dir.at('state'))[Symbol.dispose]();
  rmSync(path);
  openState(dir.at('state'))[Symbol.dispose]();
  expect(readFileSync(path, 'utf8')).not.toBe(whole);
});
