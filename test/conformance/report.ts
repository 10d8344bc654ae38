/** The suite's outcomes as a table, and whether they are what they should be. */

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

/** By scenario. */
export type Outcomes = ReadonlyMap<string, Outcome>;

export interface Reported {
  readonly title: string;
  readonly scored: readonly string[];
  /** By the way to the server. */
  readonly outcomes: ReadonlyMap<string, Outcomes>;
  /** What is expected to fail: by the way to the server, then by scenario, the reason. */
  readonly baseline: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Prints the table. @returns whether all is as it should be */
export function report({ title, scored, outcomes, baseline }: Reported): boolean {
  const width = Math.max(...scored.map((name) => name.length));
  const columns = [...outcomes.keys()];
  console.log(`\n${title}\n`);
  console.log([''.padEnd(width), ...columns].join('  '));
  const wrong: string[] = [];
  for (const scenario of scored) {
    const cells = columns.map((name) => {
      const good = passes(outcomes.get(name)?.get(scenario));
      const reason = baseline[name]?.[scenario];
      if (!good && reason === undefined) wrong.push(`${scenario}: failed (${name})`);
      if (good && reason !== undefined) wrong.push(`${scenario}: passes (${name}), so it must leave baseline.yml`);
      return (good ? 'pass' : reason === undefined ? 'FAIL' : 'known').padEnd(name.length);
    });
    console.log([scenario.padEnd(width), ...cells].join('  '));
  }
  const sums = columns.map((name) => {
    const good = scored.filter((scenario) => passes(outcomes.get(name)?.get(scenario))).length;
    return `${good}/${scored.length}`.padEnd(name.length);
  });
  console.log([''.padEnd(width), ...sums].join('  '));
  for (const line of wrong) console.error(line);
  return wrong.length === 0;
}

/** A scenario that checked nothing has proved nothing. */
function passes(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && outcome.failed === 0 && outcome.passed > 0;
}
