/** `npm run docs`: writes what is checked in of the manual. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { manPaths } from './man.ts';
import { commandReference } from './reference.ts';

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const reference = fileOf('docs/reference/commands.md');
mkdirSync(dirname(reference), { recursive: true });
writeFileSync(reference, await commandReference());

// npm takes no folder of man pages for a package that is installed: it wants each by name.
const manifest = fileOf('package.json');
const content = { ...(JSON.parse(readFileSync(manifest, 'utf8')) as object), man: await manPaths() };
writeFileSync(manifest, `${JSON.stringify(content, null, 2)}\n`);
