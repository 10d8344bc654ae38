/** What shells offer: asked of the program itself, and by the shells that people use, with the key pressed on a terminal. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressesIn } from '../../cli/complete/names.ts';
import { FREE, OFFERINGS } from '../../cli/complete/offerings.ts';
import { placeholderOf, placeholdersOf } from '../../cli/complete/placeholders.ts';
import { pages } from '../../cli/manual/pages.ts';
import { cli } from '../helpers/cli.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { required } from '../helpers/required.ts';
import { Desk } from '../helpers/slipway.ts';
import { KEYS, Terminal } from '../helpers/terminal.ts';

const TEAM = `apiVersion: slipway/v1
kind: Project
metadata:
  # Not the name: it stands below.
  labels: { team: core }
  name: dev
spec: { servers: [hello] }
---
kind: "Token"
apiVersion: slipway/v1
metadata: { labels: { nickname: x }, name: "ci" }
spec: { sha256: ${'0'.repeat(64)} }
`;

let desk: Desk;
beforeAll(() => {
  desk = new Desk();
  desk.push({
    'gateway.yaml': GATEWAY,
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello'),
    'help.yaml': helloServer('help-desk'),
    'team.yaml': TEAM,
    'broken.yaml': 'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: search }\nspec: { nonsense: true, [\n',
  });
});
afterAll(() => desk[Symbol.asyncDispose]());

/** What is offered, without what it is about; after it what else the shell is to do. */
async function offered(...words: string[]): Promise<string[]> {
  const { out, err, code } = await cli(['__complete', ...words], { cwd: desk.config, env: desk.env() });
  expect({ err, code }).toEqual({ err: '', code: 0 });
  return out.split('\n').map((line) => line.split('\t', 1)[0] ?? '');
}

describe('the program offers', () => {
  test.each<[string, string[], string[]]>([
    ['commands', ['de'], ['delete', 'detach', 'describe', ':']],
    ['commands to be helped with', ['help', 'des'], ['describe', ':']],
    ['commands below commands', ['create', 'sec'], ['secret', ':']],
    ['kinds, many', ['get', 'serv'], ['servers', 'serverattachments', ':']],
    ['kinds, one', ['edit', 'serv'], ['server', ':']],
    ['kinds in another spelling', ['edit', 'srv'], ['srv', ':']],
    ['the next of several kinds', ['get', 'servers,proj'], ['servers,projects', ':']],
    ['names', ['edit', 'server', ''], ['hello', 'help-desk', 'search', ':']],
    ['names that begin so', ['edit', 'srv', 'hel'], ['hello', 'help-desk', ':']],
    ['names not yet said', ['delete', 'servers', 'hello', 'hel'], ['help-desk', ':']],
    ['names after a slash', ['delete', 'project/d'], ['project/dev', ':']],
    ['more of them', ['delete', 'project/dev', 'server/s'], ['server/search', ':']],
    ['names of what the command is about', ['token', 'revoke', 'c'], ['ci', ':']],
    ['names that are there without being written', ['edit', 'roles', 'v'], ['viewer', ':']],
    ['nothing for a name that is to be new', ['create', 'server', 'hel'], [':']],
    ['fields', ['patch', 'server', 'hello', 'repl'], ['replicas=', ':open']],
    ['fields after a pair', ['patch', 'server/hello', 'repl'], ['replicas=', ':open']],
    ['flags', ['plan', '--re'], ['--repo', '--ref', ':']],
    ['flags once', ['plan', '--ref', 'main', '--re'], ['--repo', ':']],
    ['flags again that may be repeated', ['apply', '-f', 'a.yaml', '--filen'], ['--filename', ':']],
    ['flags made from the schema', ['create', 'server', 'x', '--transp'], ['--transport', ':']],
    ['flags of every command', ['plan', '--verb'], ['--verbose', ':']],
    ['events', ['audit', 'query', '--kind', 'auth'], ['auth_failure', ':']],
    ['their choices', ['create', 'server', 'x', '--transport', ''], ['stdio', 'http', 'sse', ':']],
    ['their choices, whatever a word is elsewhere', ['create', 'role', 'x', '--operations', 'ba'], ['backup', ':']],
    ['choices', ['get', 'servers', '-o', 'j'], ['json', ':']],
    ['choices after an equals sign', ['get', 'servers', '--output=ya'], ['--output=yaml', ':']],
    ['no flags after --', ['get', 'servers', '--', '-'], [':']],
    ['projects', ['attach', 'server', 'hello', '--project', ''], ['dev', ':']],
    ['projects after a comma', ['token', 'create', 'x', '--project', 'ops,d'], ['ops,dev', ':']],
    ['branches', ['plan', '--ref', 'ma'], ['main', ':']],
    ['files', ['apply', '-f', ''], [':files']],
    ['folders', ['init', ''], [':folders']],
    ['clients', ['client-config', 'cu'], ['cursor', ':']],
    ['shells', ['completion', ''], ['bash', 'zsh', 'fish', ':']],
    ['verbs of a command', ['audit', 'v'], ['verify', ':']],
    ['nothing where there is nothing', ['version', ''], [':']],
    ['nothing for a command that is none', ['nonsense', ''], [':']],
  ])('%s', async (_, words, wanted) => {
    expect(await offered(...words)).toEqual(wanted);
  });

  test('what each is about', async () => {
    const { out } = await cli(['__complete', 'plan', '--ref'], { cwd: desk.config });
    expect(out).toBe('--ref\tbranch, tag or commit (default: the HEAD of the repo)\n:');
  });

  test('nothing that a shell would run', async () => {
    desk.git(desk.config, 'branch', 'feature/x-1.0');
    desk.git(desk.config, 'branch', '$(touch${IFS}owned)');
    expect(await offered('plan', '--ref', '')).toEqual(['feature/x-1.0', 'main', ':']);
  });

  test('gateways that a token is kept for', async () => {
    const home = join(desk.home, 'known');
    mkdirSync(join(home, 'slipway'), { recursive: true });
    const servers = { 'https://mcp.example.com': { token: 'x' } };
    writeFileSync(join(home, 'slipway/credentials.json'), JSON.stringify({ servers }), { mode: 0o600 });
    const env = { ...desk.env(), XDG_CONFIG_HOME: home };
    const { out } = await cli(['__complete', 'status', '--server', ''], { cwd: desk.config, env });
    expect(out).toBe('https://mcp.example.com\n:');
  });

  test('names and tools of the Slipway that runs, which are not those of the files', async () => {
    await using other = new Desk();
    other.push({ 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('greeter') });
    const running = await other.up();
    const at = ['--state-dir', other.state];
    expect(await offered('describe', ...at, 'server', '')).toEqual(['greeter', ':']);
    expect(await offered('logs', ...at, '')).toEqual(['greeter', ':']);
    expect(await offered('get', ...at, 'servers', '')).toEqual(['greeter', ':']);
    expect(await offered('get', ...at, '--local', 'servers', 'hello')).toEqual(['hello', ':']);
    expect(await offered('auth', 'can-i', ...at, 'view', 'servers/')).toEqual(['servers/greeter', ':']);
    await other.call('greeter', 'hello');
    expect(await offered('call', ...at, 'greeter', '')).toEqual(['hello', ':']);
    await running.stop();
    // Nobody answers any more: nothing is offered, and nothing is said.
    expect(await offered('describe', ...at, 'server', '')).toEqual([':']);
  });
});

test('every placeholder of every command is known, or known to be free', async () => {
  const unknown = (await pages()).flatMap(({ commander }) => {
    const options = commander.options.filter((option) => !option.argChoices && (option.required || option.optional));
    const names = [...placeholdersOf(commander).map((placeholder) => placeholder.name), ...options.map(placeholderOf)];
    return names.filter(
      (name) => !(name in OFFERINGS) && !FREE.has(name) && !name.includes('|') && !name.includes('=…'),
    );
  });
  expect([...new Set(unknown)], 'a row in cli/complete/offerings.ts is missing').toEqual([]);
});

test('names are found in YAML as people write it, valid or not', () => {
  expect(addressesIn(TEAM)).toEqual(['Project/dev', 'Token/ci']);
  expect(addressesIn('kind: Server\r\nmetadata:\r\n  name: a.b\r\nspec:\r\n  name: no\r\n')).toEqual(['Server/a.b']);
  expect(addressesIn('kind: Server\nspec: { env: [{ name: NO }] }\n')).toEqual([]);
  expect(addressesIn("metadata: {name: 'x'}\nkind: Server # the last\n--- # next\nmetadata:\n- [")).toEqual([
    'Server/x',
  ]);
});

/** Whether a shell is there; one that `SLIPWAY_REQUIRE` names must be. */
function has(shell: string): boolean {
  const found = spawnSync(shell, ['--version']).status === 0;
  required(shell, found);
  return found;
}

describe('in a real shell', () => {
  const env = (): NodeJS.ProcessEnv => ({ ...desk.env(), PATH: desk.path() });

  /** Loads the script as the docs say, and then completes words as people do. */
  async function story(command: string, load: string): Promise<void> {
    await using terminal = new Terminal(command, { cwd: desk.config, env: env() });
    await terminal.type(`${load}; echo load''ed${KEYS.enter}`, 'loaded');
    const complete = async (begun: string, whole: string): Promise<void> => {
      await terminal.type(`slipway ${begun}${KEYS.tab}`, `slipway ${whole}`);
      // A line that was thrown away: what comes next is not mixed up with it.
      await terminal.type(`${KEYS.clear}echo next''one${KEYS.enter}`, 'nextone');
    };
    await complete('desc', 'describe ');
    await complete('edit server help', 'edit server help-desk ');
    await complete('edit server/hell', 'edit server/hello ');
    await complete('get servers --output=js', 'get servers --output=json ');
    await complete('patch server hello --mess', 'patch server hello --message ');
    await complete('patch server hello repl', 'patch server hello replicas=');
    await complete('apply -f tea', 'apply -f team.yaml ');
    await complete('attach server hello --project d', 'attach server hello --project dev ');
    const list = await terminal.type(`slipway edit server hel${KEYS.tab}${KEYS.tab}`, 'help-desk');
    expect(list).toContain('hello');
  }

  test.runIf(has('bash'))('bash', async () => {
    await story('bash --norc --noprofile -i', 'source <(slipway completion bash)');
  });

  test.runIf(has('zsh'))('zsh', async () => {
    await story('zsh -f -i', 'autoload -U compinit; compinit -u -D; source <(slipway completion zsh)');
  });

  test.runIf(has('fish'))('fish', () => {
    // fish tells by itself what it would offer.
    const complete = (line: string): string[] => {
      const script = `slipway completion fish | source; complete -C '${line}'`;
      const { stdout } = spawnSync('fish', ['--no-config', '-c', script], {
        cwd: desk.config,
        env: { ...env(), HOME: desk.home },
        encoding: 'utf8',
      });
      return stdout.split('\n').filter(Boolean);
    };
    expect(complete('slipway edit server he')).toEqual(['hello', 'help-desk']);
    expect(complete('slipway edit server/se')).toEqual(['server/search']);
    expect(complete('slipway get servers --output=ya')).toEqual(['--output=yaml']);
    expect(complete('slipway version ')).toEqual([]);
    expect(complete('slipway apply -f tea')).toEqual([expect.stringMatching(/^team\.yaml/)]);
    expect(complete('slipway vers')).toEqual(['version\tprint versions']);
  });
});
