/** Builds the image of a package through the engine's API. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { SlipwayError } from '../../../../schemas/errors.ts';
import { redactor } from '../../../../schemas/sensitive.ts';
import { ifThere, messageOf, statusOf } from '../answers.ts';
import type { Engine } from '../engine.ts';
import { LABEL } from '../labels.ts';
import { follow, ProgressError } from './progress.ts';
import { diskFull, isDiskFull } from './refusals.ts';

interface Build {
  /** What it is for, for people: `npm/some-server@1.2.3`. */
  readonly what: string;
  readonly tag: string;
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly args: Readonly<Record<string, string>>;
}

export interface BuildOptions {
  /** Gets what the build prints. */
  readonly output: (line: string) => void;
  readonly signal: AbortSignal;
}

const LAST_LINES = 8;
/** Passing troubles between the build and where packages come from: trying again can help. */
const NO_NETWORK =
  /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|\bE50[0234]\b|ERR_SOCKET|Failed to establish a new connection|name resolution|Connection (refused|reset|timed out|aborted)|Read timed out/;

/**
 * @throws SlipwayError image-build-failed with the last lines of the build; install-failed where the network was the
 * trouble; engine-disk-full, engine-unreachable; the signal's reason
 */
export async function build(engine: Engine, what: Build, { output, signal }: BuildOptions): Promise<void> {
  const id = randomBytes(8).toString('hex');
  const context = await mkdtemp(join(tmpdir(), 'slipway-build-'));
  // Proxies may hold a password, and what a build prints ends up in logs and errors.
  const mask = redactor(Object.values(what.args).flatMap(passwords));
  const said = new BuildOutput();
  const print = (text: string): void => {
    const line = mask(stripVTControlCharacters(text)).trimEnd();
    if (line === '') return;
    said.note(line);
    output(line);
  };
  try {
    for (const [name, content] of Object.entries(what.files)) await writeFile(join(context, name), content);
    const stream = await engine.docker.buildImage(
      { context, src: Object.keys(what.files) },
      {
        t: what.tag,
        labels: { ...what.labels },
        buildargs: { ...what.args, OWNER: what.owner, BUILD: id },
        rm: true,
        forcerm: true, // Else a failed step leaves its container.
        abortSignal: signal,
      },
    );
    await follow(stream, ({ stream: text }) => {
      for (const line of (text ?? '').split('\n')) print(line);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw buildRefusal(what.what, error, said, mask);
  } finally {
    await rm(context, { recursive: true, force: true });
    await removeLeftovers(engine, id).catch(() => {}); // The next collection finds them by the same label.
  }
}

/** The stage that installed is in nobody's way but the disk's. */
async function removeLeftovers({ docker }: Engine, id: string): Promise<void> {
  const filters = { dangling: ['true'], label: [`${LABEL.build}=${id}`] };
  for (const { Id } of await docker.listImages({ filters })) await ifThere(docker.getImage(Id).remove());
}

/** What of a build's output tells why it failed. */
class BuildOutput {
  readonly last: string[] = [];
  noNetwork = false;
  diskFull = false;

  note(line: string): void {
    // The builder's own words about its steps.
    if (/^(Step \d|(\[\d+\/\d+\] )?(STEP|COMMIT) |-->|--->| --->|Removing intermediate)/.test(line)) return;
    this.noNetwork ||= NO_NETWORK.test(line);
    this.diskFull ||= isDiskFull(line);
    this.last.push(line);
    if (this.last.length > LAST_LINES) this.last.shift();
  }
}

function buildRefusal(what: string, error: unknown, output: BuildOutput, mask: (text: string) => string): SlipwayError {
  const said = mask(messageOf(error)).replace(/\.$/, '');
  const options = { cause: error };
  if (output.diskFull || isDiskFull(said)) return diskFull(`while it built the image for ${what}`, error);
  if (statusOf(error) === undefined && !(error instanceof ProgressError))
    return new SlipwayError('engine-unreachable', `The engine broke off while it built ${what}: ${said}.`, options);
  const message = `The image for ${what} could not be built: ${[...output.last, said].join('\n')}`;
  return new SlipwayError(output.noNetwork ? 'install-failed' : 'image-build-failed', message, options);
}

function passwords(value: string): string[] {
  return URL.canParse(value) ? [new URL(value).password].flatMap((word) => [word, decodeURIComponent(word)]) : [];
}
