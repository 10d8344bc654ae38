/** What must hold of conditions, as a table. */
import { describe, expect, test } from 'vitest';
import { brokenInvariants, conditionOf, type Condition, type ConditionType } from '../../schemas/status.ts';

type Written = readonly [type: ConditionType, status: Condition['status'], reason?: string];

const conditions = (written: readonly Written[]): Condition[] =>
  written.map(([type, status, reason = 'Because']) => ({
    type,
    status,
    reason,
    message: '',
    lastTransitionTime: '2027-01-31T00:00:00Z',
  }));

describe('brokenInvariants', () => {
  test.each<[string, Written[]]>([
    ['ready', [['Ready', 'True']]],
    [
      'ready and healthy',
      [
        ['Ready', 'True'],
        ['Healthy', 'True'],
      ],
    ],
    [
      'ready while a newer commit is on its way',
      [
        ['Ready', 'True'],
        ['Reconciling', 'True'],
      ],
    ],
    [
      'the first run',
      [
        ['Ready', 'Unknown'],
        ['Reconciling', 'True'],
      ],
    ],
    [
      'stalled',
      [
        ['Ready', 'False'],
        ['Stalled', 'True'],
      ],
    ],
    [
      'stalled while the last good commit serves',
      [
        ['Ready', 'False'],
        ['Stalled', 'True'],
        ['Healthy', 'True'],
      ],
    ],
    [
      'not ready, being worked on',
      [
        ['Ready', 'False'],
        ['Reconciling', 'True'],
        ['Stalled', 'False'],
      ],
    ],
    ['not ready, nothing under way', [['Ready', 'False']]],
    [
      'health not known',
      [
        ['Ready', 'True'],
        ['Healthy', 'Unknown'],
      ],
    ],
  ])('all is well: %s', (_, written) => {
    expect(brokenInvariants(conditions(written))).toEqual([]);
  });

  test.each<[string, Written[], string[]]>([
    ['nothing at all', [], ['Ready must be present']],
    ['no Ready', [['Reconciling', 'True']], ['Ready must be present']],
    [
      'twice',
      [
        ['Ready', 'True'],
        ['Ready', 'True'],
      ],
      ['each type at most once'],
    ],
    [
      'both directions',
      [
        ['Ready', 'False'],
        ['Reconciling', 'True'],
        ['Stalled', 'True'],
      ],
      ['never Reconciling and Stalled together'],
    ],
    [
      'stalled yet ready',
      [
        ['Ready', 'True'],
        ['Stalled', 'True'],
      ],
      ['Stalled means not Ready'],
    ],
    [
      'stalled, readiness unknown',
      [
        ['Ready', 'Unknown'],
        ['Stalled', 'True'],
      ],
      ['Stalled means not Ready', 'Ready is Unknown only while Reconciling'],
    ],
    ['unknown for no reason', [['Ready', 'Unknown']], ['Ready is Unknown only while Reconciling']],
    [
      'unknown, no longer reconciling',
      [
        ['Ready', 'Unknown'],
        ['Reconciling', 'False'],
      ],
      ['Ready is Unknown only while Reconciling'],
    ],
    [
      'ready yet unhealthy',
      [
        ['Ready', 'True'],
        ['Healthy', 'False'],
      ],
      ['Ready means not unhealthy'],
    ],
    ['without a reason', [['Ready', 'True', '']], ['Ready needs a reason']],
  ])('broken: %s', (_, written, broken) => {
    expect(brokenInvariants(conditions(written))).toEqual(broken);
  });

  test('the order of conditions does not matter', () => {
    const written: Written[] = [
      ['Stalled', 'True'],
      ['Healthy', 'False', ''],
      ['Ready', 'True'],
      ['Reconciling', 'True'],
    ];
    const forwards = brokenInvariants(conditions(written));
    expect(forwards).toHaveLength(4);
    expect(brokenInvariants(conditions(written.toReversed())).sort()).toEqual(forwards.sort());
  });
});

test('conditionOf finds a condition by its type', () => {
  const holder = {
    conditions: conditions([
      ['Ready', 'True'],
      ['Healthy', 'False'],
    ]),
  };
  expect(conditionOf(holder, 'Healthy')?.status).toBe('False');
  expect(conditionOf(holder, 'Stalled')).toBeUndefined();
});
