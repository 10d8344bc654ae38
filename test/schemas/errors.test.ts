/** The table of everything that can go wrong is complete, and keeps what was not foreseen to itself. */
import { describe, expect, test } from 'vitest';
import { ERRORS, reasonOf, SlipwayError, toSlipwayError, type ErrorCode, type ErrorRow } from '../../schemas/errors.ts';

const rows = Object.entries<ErrorRow>(ERRORS);
const codes = rows.map(([code]) => code).filter((code): code is ErrorCode => code in ERRORS);

describe('each row', () => {
  test.each(rows)('%s', (code, row) => {
    expect(code).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(row.meaning).toMatch(/^[A-Z].*\.$/);
    expect(row.hint).toMatch(/^[A-Z].*\.$/);
    expect(row.hint).not.toBe(row.meaning);
    expect(row.http).toBeGreaterThanOrEqual(400);
    expect(row.http).toBeLessThan(600);
    expect([1, 3, 64]).toContain(row.exit);
    expect(['fix', 'retry']).toContain(row.next);
  });

  test('meanings are told apart', () => {
    expect(new Set(rows.map(([, row]) => row.meaning)).size).toBe(rows.length);
  });

  test('reasons are told apart and read like those of Kubernetes', () => {
    const reasons = codes.map(reasonOf);
    expect(new Set(reasons).size).toBe(codes.length);
    for (const reason of reasons) expect(reason).toMatch(/^([A-Z][a-z0-9]*)+$/);
    expect(reasonOf('crash-loop')).toBe('CrashLoop');
    expect(reasonOf('not-utf8')).toBe('NotUtf8');
  });
});

describe('SlipwayError', () => {
  test('says what its row says unless told otherwise', () => {
    const plain = new SlipwayError('state-locked');
    expect(plain.toJSON()).toEqual({
      error: ERRORS['state-locked'].meaning,
      error_code: 'state-locked',
      hint: ERRORS['state-locked'].hint,
    });
    expect(plain.row).toBe(ERRORS['state-locked']);
    expect('cause' in plain).toBe(false);
    const told = new SlipwayError('exists', 'There is a server a.', { hint: 'Use b.', cause: plain });
    expect(told.toJSON()).toEqual({ error: 'There is a server a.', error_code: 'exists', hint: 'Use b.' });
    expect(told.cause).toBe(plain);
  });

  test('a foreseen error passes through as it is', () => {
    const error = new SlipwayError('not-found');
    expect(toSlipwayError(error, 'start-failed')).toBe(error);
  });

  test.each([
    ['an error', new Error('connect postgres://ann:hunter2@db')],
    ['a text', 'hunter2'],
    ['an object', { password: 'hunter2' }],
    ['nothing', undefined],
    ['null', null],
  ])('of %s that was not foreseen only the code is told', (_, thrown) => {
    const error = toSlipwayError(thrown, 'start-failed');
    expect(error.code).toBe('start-failed');
    expect(JSON.stringify(error) + error.message + error.hint).not.toContain('hunter2');
    expect(error.cause).toBe(thrown);
    expect(toSlipwayError(thrown).code).toBe('internal');
  });

  test('an abort is a cancellation', () => {
    expect(toSlipwayError(AbortSignal.abort().reason).code).toBe('cancelled');
  });
});
