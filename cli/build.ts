/** Bundles the program for publishing: one entry that starts fast, the rest in chunks that are loaded when needed. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { schemasHash } from '../reconciler/index.ts';
import { completionFiles } from './complete/scripts.ts';
import { manPages } from './manual/man.ts';
import { layOut, STARTERS, type StarterName } from './starters/starters.ts';
import { VERSION } from './version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Says what is wrong on an old Node, where the bundle itself would not even parse. Keeps what V8 made of the program, in the cache of
 * whoever runs it and nobody else: the next start takes a fifth less.
 */
const ENTRY = `#!/usr/bin/env node
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error('slipway needs Node 24 or newer; this is ' + process.version + ' (' + process.execPath + ').');
  console.error('hint: Install Node 24 from https://nodejs.org, or put one that you have first on the PATH.');
  process.exit(1);
}
const { enableCompileCache } = await import('node:module');
const { XDG_CACHE_HOME, HOME } = process.env;
const cache = XDG_CACHE_HOME || HOME + '/.cache';
if (cache.startsWith('/')) enableCompileCache(cache + '/slipway/compiled');
await import('./main.js');
`;

/** @param dist where it goes; what is there is replaced @returns the path of the built program */
export async function build(dist = join(root, 'dist')): Promise<string> {
  rmSync(dist, { recursive: true, force: true });
  const modules = [
    ...(await bundled(join(root, 'cli/main.ts'), dist)),
    // A thread's program shares no chunk with the other: it must not begin it again.
    ...(await bundled(join(root, 'gateway/worker-main.ts'), join(dist, 'worker'))),
  ];
  const program = join(dist, 'slipway.js');
  writeFileSync(program, ENTRY);
  chmodSync(program, 0o755);
  for (const name of Object.keys(STARTERS) as StarterName[]) layOut(name, root, join(dist, 'starters', name));
  await beside(dist);
  writeFileSync(join(dist, 'THIRD-PARTY.txt'), licences(modules));
  return program;
}

/** @param entry becomes `main.js` in the folder @returns the modules that went into it */
async function bundled(entry: string, folder: string): Promise<string[]> {
  const bundle = await rolldown({
    // No module of ours does anything when it is imported, but the programs themselves: what is not used is not loaded.
    treeshake: {
      moduleSideEffects: [
        { test: /\/(reconciler|gateway|schemas)\/(?!.*node_modules|worker-main)/, sideEffects: false },
      ],
    },
    input: { main: entry },
    platform: 'node',
    transform: {
      define: {
        'process.env.NODE_ENV': '"production"', // React has a slower half for development.
        BUILT_SCHEMAS: JSON.stringify(schemasHash()),
      },
    },
    // Native parts of dependencies are never built; who would use them (ssh2, for speed) does without. Nor are Ink's tools for its own developers.
    external: [/\.node$/, 'react-devtools-core'],
    // Its "main" is UMD, whose parts no bundler finds.
    resolve: { alias: { 'jsonc-parser': join(root, 'node_modules/jsonc-parser/lib/esm/main.js') } },
    cwd: root,
    logLevel: 'warn',
    // Programs for containers are files of their own.
    experimental: { resolveNewUrlToAsset: true },
  });
  const { output } = await bundle.write({
    dir: folder,
    format: 'esm',
    // Lines stay as they are, to be read. One character beyond Latin-1 would double what the text of a chunk takes of memory.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: false, asciiOnly: true } },
    chunkFileNames: 'chunks/[name]-[hash].js',
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await bundle.close();
  return output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []));
}

/** Man pages and completion scripts, where packages pick them up. */
async function beside(folder: string): Promise<void> {
  const files = { man: await manPages(VERSION, dateOfBuild()), completions: completionFiles() };
  for (const [name, contents] of Object.entries(files)) {
    mkdirSync(join(folder, name));
    for (const [file, content] of Object.entries(contents)) writeFileSync(join(folder, name, file), content);
  }
}

/** `SOURCE_DATE_EPOCH`, as builds that can be repeated give it (reproducible-builds.org). */
function dateOfBuild(): string {
  const given = Number(process.env['SOURCE_DATE_EPOCH'] ?? Number.NaN);
  return new Date(Number.isFinite(given) ? given * 1000 : Date.now()).toISOString().slice(0, 10);
}

/** The licences of what was bundled, as they ask for. */
function licences(modules: readonly string[]): string {
  const packages = new Set(modules.flatMap((id) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []));
  return [...packages]
    .sort()
    .map((folder) => {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
      const { name, version, author, license = manifest.licenses?.map(({ type }) => type).join(' or ') } = manifest;
      const files = readdirSync(folder).filter((entry) => /^(licen[cs]e|copying|notice)/i.test(entry));
      const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
      // Not all bring the text along; whose it is, all say.
      const holder = (typeof author === 'string' ? author : author?.name) ?? `the authors of ${name}`;
      const text = texts.length > 0 ? texts.join('\n\n') : `Copyright ${holder}`;
      return `${name} ${version} (${license})\n\n${text}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** What licences need of a `package.json`; `licenses` is how it was said before npm 2. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly author?: string | { readonly name: string } | undefined;
  readonly license?: string;
  readonly licenses?: readonly { readonly type: string }[];
}

if (import.meta.main) await build();
