/** Makes an instance's container: its image, its network, its secrets, and then the container itself. */
import type { ContainerCreateOptions } from 'dockerode';
import { ifThere, messageOf, statusOf } from './answers.ts';
import type { Engine } from './engine.ts';
import { LABEL } from './labels.ts';

/**
 * Creates the container under the instance's name. Names are unique on an engine: where somebody else has it, a part of our
 * owner id follows it.
 * @returns its id
 */
export async function createNamed(engine: Engine, name: string, options: ContainerCreateOptions): Promise<string> {
  const labels = options.Labels ?? {};
  for (const wanted of [name, `${name}-${labels[LABEL.owner]?.slice(0, 8)}`]) {
    try {
      const { id } = await engine.docker.createContainer({ ...options, name: wanted });
      return id;
    } catch (error) {
      if (!isTaken(error)) throw error;
      const there = await ifThere(engine.docker.getContainer(wanted).inspect());
      const same = [LABEL.owner, LABEL.hash, LABEL.replica].every((key) => there?.Config.Labels[key] === labels[key]);
      if (there && same) return there.Id;
    }
  }
  throw new Error(`somebody else's container has the name ${name}`);
}

/** Docker answers 409 to a name that is taken, Podman 500. */
function isTaken(error: unknown): boolean {
  return statusOf(error) === 409 || (statusOf(error) === 500 && /name .* in use/.test(messageOf(error)));
}
