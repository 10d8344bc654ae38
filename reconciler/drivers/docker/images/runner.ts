/**
 * Images for packages: a base image with the package of one exact version baked in, so that starts need no network. The
 * tag is a hash of all that goes into it.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Log } from '../../../../schemas/log.ts';
import type { Engine } from '../engine.ts';
import { LABEL, ownFilter, ownLabels, type Owner } from '../labels.ts';
import { build, type BuildOptions } from './build.ts';
import { npmRecipe } from './npm.ts';
import { contentId, presentImage, type PresentImage } from './pull.ts';
import { pypiRecipe } from './pypi.ts';
import { AUTHORITIES, buildAuthorities, buildSettings, type PackageProgram, type Recipe } from './recipe.ts';
import { fullName, parseReference } from './reference.ts';

const RECIPES: Readonly<Record<PackageProgram['ecosystem'], Recipe>> = { npm: npmRecipe, pypi: pypiRecipe };

/** All that is known of a package's image before its base image is there. */
export interface Runner {
  readonly program: PackageProgram;
  readonly owner: Owner;
  /** Its base image, as the Engine or the recipe names it. */
  readonly base: string;
  readonly files: Readonly<Record<string, string>>;
  /** Hash of what makes it another image. */
  readonly hash: string;
}

export function runnerFor(engine: Engine, program: PackageProgram, owner: Owner): Runner {
  const { ecosystem, name, version, bin = null } = program;
  const { dockerfile, revision, ...recipe } = RECIPES[ecosystem];
  const base = engine.runners[ecosystem] ?? recipe.base;
  const files = { ...recipe.files(program), Dockerfile: dockerfile };
  const from = fullName(parseReference(base));
  // The owner is in it: what one Slipway removes, no other needs.
  const hash = sha256({ owner: owner.id, from, dockerfile, revision, ecosystem, name, version, bin });
  return { program, owner, base, files, hash };
}

/** @returns the image, if it was built already; where the base image is gone, the newest that was built on it */
export async function findRunner(engine: Engine, runner: Runner): Promise<PresentImage | undefined> {
  const base = await presentImage(engine, runner.base);
  if (base) {
    const built = await presentImage(engine, tagOf(runner, base));
    return built && { id: built.id, reference: built.reference };
  }
  const label = [...ownFilter(runner.owner), `${LABEL.recipe}=${runner.hash}`];
  const built = await engine.docker.listImages({ filters: { label, dangling: ['false'] } });
  const newest = built.sort((one, other) => other.Created - one.Created)[0];
  return newest && { id: contentId(newest), reference: newest.RepoTags?.[0] ?? newest.Id };
}

/** @throws SlipwayError as {@link build} does */
export async function buildRunner(
  engine: Engine,
  runner: Runner,
  base: PresentImage,
  { log, ...options }: BuildOptions & { log: Log },
): Promise<PresentImage> {
  const { ecosystem, name, version } = runner.program;
  const what = `${ecosystem}/${name}@${version}`;
  const tag = tagOf(runner, base);
  const recipe = RECIPES[ecosystem];
  const { file, args } = buildAuthorities(recipe, log);
  const began = performance.now();
  log('info', `building the image for ${what}`, { engine: engine.name, base: runner.base });
  await build(
    engine,
    {
      what,
      tag,
      owner: runner.owner.id,
      labels: { ...ownLabels(runner.owner), [LABEL.package]: what, [LABEL.recipe]: runner.hash },
      files: { ...runner.files, [AUTHORITIES.file]: file },
      // By its content: a tag could move between the two stages.
      args: { ...buildSettings(recipe, log), ...args, BASE: engine.info.podman ? bare(base.id) : base.id },
    },
    options,
  );
  const info = await engine.docker.getImage(tag).inspect();
  const seconds = Number(((performance.now() - began) / 1000).toFixed(1));
  log('info', `built the image for ${what}`, { engine: engine.name, seconds, image: tag });
  return { id: contentId(info), reference: tag };
}

function tagOf({ program, hash }: Runner, base: PresentImage): string {
  return `slipway/run-${program.ecosystem}:${sha256({ hash, base: base.id }).slice(0, 32)}`;
}

/** Podman wants ids without the algorithm. */
const bare = (id: string): string => id.replace(/^sha256:/, '');

function sha256(value: unknown): string {
  return createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex');
}
