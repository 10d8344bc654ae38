/** `suite.ts <name> <program>`, forked: one suite in a process of its own. Its rows go to who started it. */
import { SUITES } from './suites.ts';

const [name = '', program = ''] = process.argv.slice(2);
const suite = await SUITES[name]?.();
process.send?.(await suite?.(program), () => process.disconnect());
