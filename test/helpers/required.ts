/** Whether `SLIPWAY_REQUIRE` names a program. */
export const isRequired = (program: string): boolean =>
  (process.env['SLIPWAY_REQUIRE'] ?? '').split(/[\s,]+/).includes(program);

/** Where a program is required, its absence is a failure rather than a test that is left out. */
export function required(program: string, isThere: boolean): void {
  if (!isThere && isRequired(program)) throw new Error(`SLIPWAY_REQUIRE asks for ${program}, which is not installed.`);
}
