/** The container engine of this machine, for tests of containers; the images that they run are in `images.ts`. */
import { describe, test } from 'vitest';
import { ifThere } from '../../reconciler/drivers/docker/answers.ts';
import { openEngine, type Engine } from '../../reconciler/drivers/docker/engine.ts';
import { sweepSecretFiles } from '../../reconciler/drivers/docker/secret-files.ts';
import { isRequired } from './required.ts';

/** Whoever comes first builds the images. */
const TIMEOUT_MS = 300_000;

/** As `DOCKER_HOST`, the Docker context or the standard socket say; an error where none answers. */
export const engineHere: Engine | Error = await openEngine(undefined).catch((error: unknown) => error as Error);

/**
 * A `describe` for tests that need the engine. Where none answers they are skipped, with the reason in the name; where
 * `SLIPWAY_REQUIRE` contains `docker` that is a failure instead.
 */
export function describeEngine(name: string, body: (engine: Engine) => void): void {
  const engine = engineHere;
  if (!(engine instanceof Error)) describe(name, { timeout: TIMEOUT_MS }, () => body(engine));
  else if (!isRequired('docker'))
    describe.skip(`${name} (skipped: ${engine.message})`, () => test('needs an engine', () => {}));
  else
    describe(name, () =>
      test('an engine answers', () => {
        throw new Error(`SLIPWAY_REQUIRE asks for docker: ${engine.message}`);
      }),
    );
}

/** Removes all containers, networks, secrets and images of an owner: for the end of a test, however it went. */
export async function sweep({ docker }: Engine, owner: string): Promise<void> {
  const filters = { label: [`slipway.owner=${owner}`] };
  const containers = await docker.listContainers({ all: true, filters });
  await Promise.all(
    containers.map(({ Id }) => ifThere(docker.getContainer(Id).remove({ force: true, v: true })).catch(() => {})),
  );
  const networks = await docker.listNetworks({ filters });
  await Promise.all(networks.map(({ Id }) => ifThere(docker.getNetwork(Id).remove())));
  await sweepSecretFiles({ id: owner, home: '' }, []);
  for (const { Id } of await docker.listImages({ filters }))
    await ifThere(docker.getImage(Id).remove({ force: true })).catch(() => {});
}
