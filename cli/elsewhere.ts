/** What people know from kubectl and Slipway calls otherwise: commands, flags, ways to print, kinds. Data, and who looks it up. */
import { suggest } from '../schemas/suggest.ts';

const COMMANDS: Readonly<Record<string, string>> = {
  'rollout undo': '`slipway rollback` undoes a commit; so does `git revert`.',
  'rollout status': '`slipway sync --wait` waits for a rollout, `slipway status` tells how it does.',
  'rollout history': '`slipway diff <from> <to>` compares commits; `git log` lists them.',
  'rollout restart': 'What runs is replaced when its config changes; `slipway sync --retry` tries again what failed.',
  'rollout pause': '`slipway suspend server <name>`.',
  'rollout resume': '`slipway resume server <name>`.',
  rollout: '`slipway rollback` undoes a commit, `slipway status` tells how a rollout does.',
  undo: '`slipway rollback` undoes a commit.',
  history: '`slipway events` tells what happened, `git log` what was asked for.',
  restart: 'What runs is replaced when its config changes; `slipway sync --retry` tries again what failed.',
  scale: 'For example `slipway patch server <name> replicas=3`.',
  autoscale: 'For example `slipway patch server <name> replicas=3`.',
  set: 'For example `slipway patch server <name> timeout=90s`.',
  label: 'For example `slipway patch server <name> metadata.labels.team=core`.',
  annotate: 'For example `slipway patch server <name> metadata.annotations.note=text`.',
  replace: '`slipway apply -f`.',
  add: '`slipway create <kind> <name>`, or `slipway apply -f`.',
  run: '`slipway create server <name>`.',
  rm: '`slipway delete <kind> <name>`.',
  remove: '`slipway delete <kind> <name>`.',
  exec: '`slipway call <server> <tool>`.',
  expose: '`slipway attach server <name> --project <project>` puts it on a route.',
  'port-forward': '`slipway connect --project <project>` brings what the gateway serves to a client here.',
  proxy: '`slipway connect --project <project>` brings what the gateway serves to a client here.',
  wait: '`slipway sync --wait`.',
  drain: '`slipway suspend server <name>` leaves alone what runs.',
  cordon: '`slipway suspend server <name>` leaves alone what runs.',
  list: '`slipway get <kind>`, or `slipway get all`.',
  ls: '`slipway get <kind>`, or `slipway get all`.',
  ps: '`slipway get instances`.',
  show: '`slipway describe <kind> <name>`.',
  info: '`slipway status`.',
  'cluster-info': '`slipway status`.',
  'api-resources': '`slipway explain` lists all kinds and their short names.',
  'api-versions': '`slipway version`.',
  config:
    '`slipway client-config <client>` sets a client up; `--server` and `slipway login` say which Slipway is meant.',
  whoami: '`slipway auth can-i --list`.',
  cp: 'Files that a server needs are named in its `files`: `slipway explain server.files`.',
};

/** What to write instead of a command that is not there. @param second the word behind it */
export function commandHint(name: string, second: string | undefined, known: readonly string[]): string | undefined {
  const hint = [`${name} ${second}`, name].find((words) => Object.hasOwn(COMMANDS, words));
  if (hint !== undefined) return COMMANDS[hint];
  const nearest = suggest(name, known);
  return nearest && `Did you mean ${nearest}?`;
}

const NAMESPACES = 'There are no namespaces; where a command has it, `--project <project>` says which part is meant.';
const JQ = 'For example `-o json | jq …`; -o name and -o wide do without.';
const VALUES = '`slipway secret encrypt <secret> <key>` keeps a value encrypted; --data says where one comes from.';

const FLAGS: Readonly<Record<string, string>> = {
  '-n': NAMESPACES,
  '--namespace': NAMESPACES,
  '-A': NAMESPACES,
  '--all-namespaces': NAMESPACES,
  '--no-headers': '`-o name` is for programs; `| tail -n +2` leaves out the first line.',
  '--show-labels': '`-o wide` shows labels.',
  '--sort-by': JQ,
  '--field-selector': JQ,
  '--template': JQ,
  '--context': '`--server <url>` or `--state-dir <dir>` says which Slipway is meant.',
  '--kubeconfig': '`--server <url>` or `--state-dir <dir>` says which Slipway is meant.',
  '--all': 'Name them, or use -l: nothing is deleted that nobody named.',
  '--force': 'What is deleted is stopped when the change is applied; there is nothing to force.',
  '--grace-period': 'How long a server may take to end is its `rollout.drain`.',
  '--prune': 'What is no longer in the config repo is stopped by itself; `slipway delete` takes it out of the repo.',
  '-k': 'Overlays are resources here: `slipway explain overlay`.',
  '--from-literal': VALUES,
  '--from-file': VALUES,
  '--data-file': VALUES,
};

export function flagHint(flag: string): string | undefined {
  const name = flag.split('=', 1)[0] ?? '';
  return Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
}

/** Of a value that an option does not take: `jsonpath=…`, `yml`. */
export function choiceHint(value: string, choices: readonly string[]): string | undefined {
  if (/^(jsonpath|custom-columns|go-template|template)\b/.test(value)) return JQ;
  const nearest = suggest(value, choices);
  return nearest && `Did you mean ${nearest}?`;
}

/** `--dry-run=client` and `--dry-run=server` are the same here: the whole config is checked, and nothing is written. */
export function asSlipwaySays(argv: readonly string[]): string[] {
  const end = argv.indexOf('--') < 0 ? argv.length : argv.indexOf('--');
  return argv.flatMap((word, at) => {
    if (at > end || !word.startsWith('--dry-run=')) return [word];
    if (word === '--dry-run=none') return [];
    return /=(client|server)$/.test(word) ? ['--dry-run'] : [word];
  });
}

const KINDS: Readonly<Record<string, readonly string[]>> = {
  instances: [
    'po',
    'pod',
    'pods',
    'rs',
    'replicaset',
    'replicasets',
    'container',
    'containers',
    'process',
    'processes',
  ],
  servers:
    'deploy deployment deployments svc service services sts statefulset statefulsets ds daemonset job jobs'.split(' '),
  projects: ['ns', 'namespace', 'namespaces', 'ing', 'ingress', 'ingresses', 'route', 'routes'],
  engines: ['no', 'node', 'nodes'],
  secrets: ['cm', 'configmap', 'configmaps'],
  tokens: ['serviceaccount', 'serviceaccounts'],
  roles: ['clusterrole', 'clusterroles'],
  rolebindings: ['clusterrolebinding', 'clusterrolebindings'],
  budgets: ['quota', 'resourcequota', 'resourcequotas'],
};

/** What is no resource here, and the command that tells of it. */
const TOLD: Readonly<Record<string, string>> = {
  ev: '`slipway events` lists them.',
  event: '`slipway events` lists them.',
  events: '`slipway events` lists them.',
  tool: '`slipway describe server <name>` lists its tools.',
  tools: '`slipway describe server <name>` lists its tools.',
  crd: '`slipway explain` lists all kinds.',
  crds: '`slipway explain` lists all kinds.',
};

export function toldElsewhere(word: string): string | undefined {
  const wanted = word.toLowerCase();
  return Object.hasOwn(TOLD, wanted) ? TOLD[wanted] : undefined;
}

/** Ours for a kind of kubectl's. */
export const kindElsewhere = (word: string): string | undefined =>
  Object.keys(KINDS).find((ours) => KINDS[ours]?.includes(word.toLowerCase()));
