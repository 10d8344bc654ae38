/** Config files for tests. JSON is YAML, so no text is put together by hand. */
import type { Desired } from '../../reconciler/compile.ts';
import { parseFile } from '../../schemas/parse.ts';
import { checkTogether } from '../../schemas/refs.ts';
import { program } from './processes.ts';

type Spec = Readonly<Record<string, unknown>>;

export function resource(kind: string, name: string, spec: Spec): string {
  return JSON.stringify({ apiVersion: 'slipway/v1', kind, metadata: { name }, spec });
}

/** A Server that runs one of our programs. */
export function server(name: string, programName: string, args: readonly string[] = [], spec: Spec = {}): string {
  return resource('Server', name, { command: program(programName, ...args), ...spec });
}

/** A Server whose instances are containers. */
export function imageServer(name: string, image: string, args: readonly string[] = [], spec: Spec = {}): string {
  return resource('Server', name, { image, args, ...spec });
}

/** A Server of the memory driver; another version is another spec hash. */
export function memoryServer(name: string, version = 'v1', spec: Spec = {}): string {
  return resource('Server', name, { command: ['memory', version], runtime: 'memory', ...spec });
}

/** What a commit with these files wants. @throws where they are not valid: tests of refusals use `load` */
export function desired(files: Readonly<Record<string, string>>, commit = 'c1'): Desired {
  const parsed = Object.entries(files).map(([path, content]) => parseFile(path, Buffer.from(content)));
  const resources = parsed.flatMap((file) => file.resources);
  const issues = [...parsed.flatMap((file) => file.issues), ...checkTogether(resources)];
  if (issues.length > 0) throw new Error(JSON.stringify(issues));
  return { commit, resources, files: [] };
}
