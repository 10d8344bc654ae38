/**
 * Every way Slipway can say no, in one table. A code is stable; its row says what a person can do (`hint`), which
 * exit code the CLI ends with, which status a REST or MCP client sees, and whether trying again can help.
 */

import { GATEWAY_ERRORS } from './errors/gateway.ts';
import { row, type ErrorRow } from './errors/row.ts';

export type { ErrorRow, Next } from './errors/row.ts';

export const ERRORS = {
  // What was written (issues with file, line and column).
  'yaml-syntax': row('The file is not valid YAML.', 'Fix the syntax at the position given; YAML indents with spaces.'),
  'yaml-alias': row(
    'Aliases expand too far or refer to themselves.',
    'Write the repeated part out; aliases are limited to 100 uses.',
  ),
  'not-utf8': row('The file is not UTF-8 text.', 'Save the file as UTF-8.'),
  'file-too-large': row('The file is over 1 MiB.', 'Split the file, or keep data out of the config path.'),
  symlink: row(
    'A symbolic link stands where a YAML file is expected.',
    'Commit the file itself: links are never followed.',
  ),
  'not-a-resource': row(
    'The document is not a Slipway resource.',
    'Start it with apiVersion: slipway/v1 and a kind, or move it out of the config path.',
  ),
  // Said to the command line, both are words that it does not have: wrong usage.
  'unknown-kind': row('There is no such kind.', 'See `slipway explain` for the kinds.', { exit: 64 }),
  'unknown-field': row('The field does not exist here.', 'See `slipway schema <kind>` for the fields.', { exit: 64 }),
  'missing-field': row('A required field is missing.', 'Add the field.'),
  'wrong-type': row('The value has the wrong type.', 'See `slipway schema <kind>` for the type.'),
  'invalid-value': row('The value is not allowed here.', 'See `slipway schema <kind>` for what is allowed.'),
  'conflicting-fields': row('Fields contradict each other.', 'Give exactly one of them.'),
  'reserved-name': row('The name is reserved.', 'Choose another name.'),
  'duplicate-resource': row('Two resources have the same kind and name.', 'Rename or remove one of them.'),
  singleton: row('There may be only one resource of this kind.', 'Keep one of them.'),
  'dangling-reference': row('A referenced resource does not exist.', 'Create it, or correct the name.'),
  'secret-misplaced': row(
    'An encrypted value stands where it does not belong.',
    'Encrypt the value for this name and key with `slipway secret encrypt`.',
  ),
  'sops-invalid': row(
    'A file is not one that SOPS encrypted for age.',
    'Encrypt it with `sops --encrypt --age <recipient>`.',
  ),
  'code-not-allowed': row(
    'Code of the config repo may run only where a Policy allows it.',
    'Name it in spec.code (a Pipeline), spec.plugins (a Plugin) or spec.llm (either, to ask models) of a Policy, and have that reviewed.',
  ),
  'reference-cycle': row('Resources refer to each other in a circle.', 'Remove one reference of the path shown.'),

  'workspace-too-large': row(
    'The files of a workspace are more than it may have.',
    'Leave some out with exclude, or raise maxSize; the tree before stays.',
  ),
  'template-params': row('A template cannot be used so.', 'See `slipway describe template <name>` for its parameters.'),
  'overlay-failed': row(
    'An operation of an Overlay does not apply.',
    'See `slipway get <kind> <name> --local -o yaml` for what is there before any Overlay.',
  ),
  'overlay-unmatched': row('An Overlay changes nothing that is there.', 'Correct its target, or remove the patch.'),
  'unknown-environment': row(
    'No Overlay is for the environment.',
    'Correct --env, or add an Overlay for it; one without patches will do.',
  ),

  // Getting at the desired state.
  'source-unreachable': row(
    'The config repo cannot be reached.',
    'Check the URL, the network and the credentials; the last good commit stays in force.',
    { http: 502, next: 'retry' },
  ),
  'ref-not-found': row(
    'The branch, tag or commit does not exist in the repo.',
    'Push the branch, or correct --ref; the last good commit stays in force.',
    { http: 404, next: 'retry' },
  ),
  'path-not-found': row('The config path does not exist in the repo.', 'Correct --path.', { http: 404 }),
  'invalid-config': row(
    'The commit was refused as a whole because of its issues.',
    'Fix the issues and push again; the last good commit stays in force.',
  ),
  'below-floor': row(
    'The config goes below the floor.',
    'Keep to what the floor asks for; its place is in the message.',
  ),
  misplaced: row('The resource may not stand in this file.', 'Move it into one of the files that are named.'),
  'invalid-floor': row(
    'The floor cannot be read, or is not valid.',
    'Correct the file that --floor names; until then nothing is applied, and what runs stays.',
    { http: 409 },
  ),
  untrusted: row(
    'The commit is not signed as it must be.',
    'Have it signed by one of the signers, or add a signer in a commit of its own, before; the last good commit stays in force.',
    { exit: 3, http: 409 },
  ),
  blocked: row('A guard blocked the plan.', 'See the guard for what would have happened and how to allow it.', {
    exit: 3,
    http: 409,
  }),

  // Reviews.
  'forge-unreachable': row(
    'The forge does not answer, or has trouble of its own.',
    'Nothing is lost: it is asked again with growing pauses.',
    { http: 502, next: 'retry' },
  ),
  'forge-refused': row(
    'The forge refuses what was asked of it.',
    'Check that the token in Gateway spec.review may comment and set commit statuses on that repository.',
    { http: 502 },
  ),

  // Making it run.
  'no-driver': row('No driver of that name is available here.', 'Use runtime: process, or a build with that driver.', {
    http: 501,
  }),
  'install-failed': row('The package could not be installed.', 'Check the name, the exact version and the registry.', {
    http: 502,
    next: 'retry',
  }),
  'engine-unreachable': row(
    'The container engine does not answer.',
    'Start it, or correct the Engine resource or DOCKER_HOST; containers that run keep serving.',
    { http: 502, next: 'retry' },
  ),
  'image-missing': row(
    'The image does not exist, or may not be fetched.',
    'Check its name, its tag or digest, pull.policy and pull.credentials.',
    { http: 502 },
  ),
  'registry-unreachable': row(
    'The image registry does not answer, or not as it should.',
    'Check the registry and the network between it and the engine.',
    { http: 502, next: 'retry' },
  ),
  'engine-disk-full': row(
    'The disk of the container engine is full.',
    'Free space on its host (`docker system df` shows what takes it).',
    { http: 507, next: 'retry' },
  ),
  'image-build-failed': row(
    'The image for a package could not be built.',
    'Check the package and the Engine’s runners.',
    {
      http: 502,
    },
  ),
  'isolation-unavailable': row(
    'The server cannot be shut in here as its config asks for.',
    'Install what is missing, or loosen isolation.',
    { http: 502 },
  ),
  'tool-missing': row('A program that is needed is not installed.', 'Install it on this host.', { http: 502 }),
  'start-failed': row('The server could not be started.', 'See `slipway logs <server>`.', { http: 502 }),
  'not-ready': row(
    'The server started but did not become ready.',
    'See `slipway logs <server>`; rollout.timeout says how long it may take.',
    { http: 502 },
  ),
  'rolled-back': row(
    'The new version went bad soon after it took over.',
    'See `slipway logs <server>`; push a better version, or try this one again with `slipway sync --retry`.',
    { http: 502 },
  ),
  'plan-loop': row(
    'The same plan was applied three times in a row and is due again.',
    'Find out what undoes it: another Slipway, a person, or the server itself. Then push a commit, or run `slipway sync --retry`.',
    { http: 409 },
  ),
  'remove-failed': row(
    'What is no longer wanted could not be removed.',
    'It gets no more calls, and its removal is tried again with growing pauses; the log says why it failed.',
    { http: 502, next: 'retry' },
  ),
  'crash-loop': row('The server keeps crashing.', 'See `slipway logs <server>`; it is restarted with growing pauses.', {
    http: 502,
    next: 'retry',
  }),
  'secret-unavailable': row(
    'A secret could not be read.',
    'Set the environment variable, create the file that the Secret names, or give Slipway the age key.',
    { http: 502, next: 'retry' },
  ),
  'dependency-not-ready': row('A server this one depends on is not ready.', 'Fix the dependency first.', {
    http: 424,
    next: 'retry',
  }),
  superseded: row('A newer commit replaced this one before it was applied.', 'Nothing to do.', {
    http: 409,
    next: 'retry',
  }),
  cancelled: row('The operation was cancelled.', 'Try again.', { http: 499, next: 'retry' }),
  'state-locked': row(
    'Another Slipway uses this state directory.',
    'Stop it, or give this one a --state-dir of its own.',
    { http: 423 },
  ),
  'state-unwritable': row('The state directory cannot be written.', 'Check free space and permissions.', {
    http: 507,
    next: 'retry',
  }),
  'unsafe-listen': row(
    'Listening beyond loopback needs a Token or an identity provider.',
    'Create one with `slipway token create`, or listen on 127.0.0.1.',
    { http: 403 },
  ),
  'listen-failed': row('The address cannot be listened on.', 'Choose another port, or stop what uses it.', {
    http: 503,
  }),

  ...GATEWAY_ERRORS,

  // The command line.
  usage: row('The command was used wrongly.', 'See `slipway help`.', { exit: 64 }),
  'not-running': row(
    'No running Slipway was found.',
    'Start one with `slipway up`, or name it with --state-dir or --server.',
    { http: 503, next: 'retry' },
  ),
  conflict: row('Somebody else changed it meanwhile.', 'Look at what they changed, and try again.', {
    http: 409,
    next: 'retry',
  }),
  'commit-failed': row(
    'Git did not take the commit.',
    'The files are changed: see what git says, and commit them yourself.',
  ),
  exists: row('It exists already.', 'Choose another name, or remove it first.', { http: 409 }),
  internal: row('Something unexpected happened.', 'Please report it with the log.', { http: 500, next: 'retry' }),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** What a machine can use of a refusal. */
export interface ErrorDetails {
  /** When trying again can help, from now (ms); over HTTP also as `Retry-After`. */
  readonly retryAfterMs?: number;
  /** Which limit or budget refused. */
  readonly limit?: { readonly level: string; readonly name: string };
}

/** An error that was foreseen: `code` is its row in {@link ERRORS}; `message` is safe to show. */
export class SlipwayError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: ErrorDetails | undefined;

  constructor(
    code: ErrorCode,
    message?: string,
    options: { hint?: string; cause?: unknown; details?: ErrorDetails } = {},
  ) {
    super(message ?? ERRORS[code].meaning, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'SlipwayError';
    this.code = code;
    this.hint = options.hint ?? ERRORS[code].hint;
    this.details = options.details;
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }

  toJSON(): { error: string; error_code: ErrorCode; hint: string } & ErrorDetails {
    return { error: this.message, error_code: this.code, hint: this.hint, ...this.details };
  }
}

/** Hides what was not foreseen: secrets ride in the messages of unknown errors. The original stays as `cause`. */
export function toSlipwayError(error: unknown, fallback: ErrorCode = 'internal'): SlipwayError {
  if (error instanceof SlipwayError) return error;
  if (error instanceof Error && error.name === 'AbortError')
    return new SlipwayError('cancelled', undefined, { cause: error });
  return new SlipwayError(fallback, undefined, { cause: error });
}

/** The reason a status condition carries for an error code: `crash-loop` → `CrashLoop`. */
export function reasonOf(code: ErrorCode): string {
  return code.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
}
