/** From a command line to the best way that Slipway has to run it: a package, an image, or the program itself. */
import { PEP440, SEMVER } from '../../schemas/kinds/fields.ts';

export interface Program {
  /** Fields of `Server.spec`. */
  readonly spec: Record<string, unknown>;
  /** Variables that a container was given by name or with a value. */
  readonly env: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
  readonly lost: readonly string[];
}

/** Programs that run containers from a command line. */
const ENGINES: ReadonlySet<string> = new Set(['docker', 'podman', 'nerdctl']);

const plain = (command: readonly string[], ...notes: string[]): Program => ({
  spec: { command: [...command] },
  env: {},
  notes,
  lost: [],
});

export function programOf(argv: readonly string[]): Program {
  // Windows needs a shell to find scripts; Slipway finds them without.
  const words = /^cmd(\.exe)?$/i.test(argv[0] ?? '') && argv[1] === '/c' ? argv.slice(2) : [...argv];
  const program = (words[0] ?? '').replace(/^.*\//, '').replace(/\.(cmd|exe)$/i, '');
  const rest = words.slice(1);
  if (program === 'npx') return npx(words, rest);
  if (program === 'uvx') return uvx(words, rest);
  if (program === 'uv' && rest[0] === 'tool' && rest[1] === 'run') return uvx(words, rest.slice(2));
  if (ENGINES.has(program) && rest[0] === 'run') return container(words, rest.slice(1));
  const local = words.find((word) => /^\.{0,2}\/|\.(m?js|ts|py)$/.test(word));
  if (local === undefined) return plain(words);
  return plain(words, `${local} must be there on the host; or put it into the config repo and list it in files`);
}

const NPM_SPEC = /^((?:@[^/@]+\/)?[^/@]+)(?:@(.+))?$/;

function npx(words: readonly string[], rest: readonly string[]): Program {
  let wanted: string | undefined;
  let at = 0;
  for (; at < rest.length; at++) {
    const word = rest[at] ?? '';
    if (word === '-p' || word === '--package') wanted = rest[++at];
    else if (word.startsWith('--package=')) wanted = word.slice('--package='.length);
    else if (word === '--') continue;
    else if (!word.startsWith('-')) break;
    else if (!/^(-y|--yes|-q|--quiet|--prefer-offline|--prefer-online)$/.test(word)) return plain(words);
  }
  const bin = wanted === undefined ? undefined : rest[at];
  const [, npm, version = ''] = NPM_SPEC.exec(wanted ?? rest[at] ?? '') ?? [];
  if (npm === undefined) return plain(words);
  if (!SEMVER.test(version))
    return plain(
      words,
      `npx fetches ${npm} at each start, in whatever version; name one: package: { npm: "${npm}", version: … }`,
    );
  const args = rest.slice(at + 1);
  return found({
    package: { npm, version, ...(bin === undefined ? {} : { bin }), ...(args.length > 0 ? { args } : {}) },
  });
}

const PYPI_SPEC = /^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?(?:(?:==|@)(.+))?$/;

function uvx(words: readonly string[], rest: readonly string[]): Program {
  let from: string | undefined;
  let at = 0;
  for (; at < rest.length; at++) {
    const word = rest[at] ?? '';
    if (word === '--from') from = rest[++at];
    else if (word.startsWith('--from=')) from = word.slice('--from='.length);
    else if (!word.startsWith('-')) break;
    else if (!/^(-q|--quiet|--isolated)$/.test(word)) return plain(words);
  }
  const bin = from === undefined ? undefined : rest[at];
  const [, pypi, extras, version = ''] = PYPI_SPEC.exec(from ?? rest[at] ?? '') ?? [];
  if (pypi === undefined || extras !== undefined) return plain(words, 'uvx must be there on the host');
  if (!PEP440.test(version))
    return plain(words, `uvx fetches ${pypi} in whatever version; name one: package: { pypi: "${pypi}", version: … }`);
  const args = rest.slice(at + 1);
  return found({
    package: { pypi, version, ...(bin === undefined ? {} : { bin }), ...(args.length > 0 ? { args } : {}) },
  });
}

const found = (spec: Record<string, unknown>): Program => ({ spec, env: {}, notes: [], lost: [] });

/** Flags of `docker run` that a rollout has no use for, those that are followed by a value, and those we can carry over. */
const IDLE = /^(-i|-t|-it|-ti|--interactive|--tty|--rm|--init|--detach|-d)$/;
const WITH_VALUE =
  /^(--name|-v|--volume|--mount|-p|--publish|--network|--net|-u|--user|-w|--workdir|-m|--memory|--cpus|--add-host|--dns|--platform|--label|-l|--restart|--pull|--gpus|--cap-add|--device|--security-opt|--tmpfs|--shm-size|--env-file)$/;

function container(words: readonly string[], rest: readonly string[]): Program {
  const env: Record<string, string> = {};
  const lost: string[] = [];
  const spec: Record<string, unknown> = {};
  let at = 0;
  for (; at < rest.length; at++) {
    const word = rest[at] ?? '';
    if (!word.startsWith('-')) break;
    const [flag = '', inline] = word.startsWith('--') ? word.split(/=(.*)/s, 2) : [word];
    if (IDLE.test(word)) continue;
    if (flag === '-e' || flag === '--env') {
      const [name = '', value] = (inline ?? rest[++at] ?? '').split(/=(.*)/s, 2);
      env[name] = value ?? `\${${name}}`;
    } else if (flag === '--entrypoint') spec['entrypoint'] = [inline ?? rest[++at] ?? ''];
    else if (WITH_VALUE.test(flag)) lost.push(`${flag} ${inline ?? rest[++at] ?? ''}`);
    else return plain(words, 'it starts containers itself, which Slipway then knows nothing of; use image');
  }
  const image = rest[at];
  if (image === undefined) return plain(words);
  const args = rest.slice(at + 1);
  const idle = (flag: string): boolean => /^--(name|label|restart|pull|platform)\b|^-l\b/.test(flag);
  return {
    spec: { image, ...spec, ...(args.length > 0 ? { args } : {}) },
    env,
    notes: [],
    lost: lost
      .filter((flag) => !idle(flag))
      .map((flag) => `${flag} was left out: see isolation for what a container may have`),
  };
}
