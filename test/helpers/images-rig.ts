/** The driver's images on an engine, with an owner and a state directory of their own; what they made goes at the end. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { Images, type ImagesOptions } from '../../reconciler/drivers/docker/images.ts';
import type { Program, Pull, Workload } from '../../reconciler/workload.ts';
import { sweep } from './engine.ts';
import { image } from './images.ts';
import { openPlain } from './secrets.ts';
import { tempDir } from './temp.ts';
import { workload } from './workload.ts';

export interface ImagesRig extends AsyncDisposable {
  readonly images: Images;
  readonly owner: string;
  /** Path of the file in which it notes what it pulled. */
  readonly notes: string;
  /** `level message {fields}` */
  readonly logs: string[];
  /** The same owner and notes, as after a restart. */
  again(options?: Partial<ImagesOptions>): Images;
}

export function imagesRig(engine: Engine, options: Partial<ImagesOptions> = {}): ImagesRig {
  const dir = tempDir();
  const owner = `test-${randomBytes(6).toString('hex')}`;
  const logs: string[] = [];
  const all: Images[] = [];
  const again = (more: Partial<ImagesOptions> = {}): Images => {
    const images = new Images({
      owner: { id: owner, home: dir.path },
      notes: dir.at('images.json'),
      secrets: openPlain,
      log: (level, message, fields) => void logs.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`),
      ...options,
      ...more,
    });
    all.push(images);
    return images;
  };
  return {
    images: again(),
    owner,
    notes: dir.at('images.json'),
    logs,
    again,
    async [Symbol.asyncDispose]() {
      for (const images of all) images[Symbol.dispose]();
      await sweep(engine, owner);
      dir[Symbol.dispose]();
    },
  };
}

/** A workload of the docker driver that runs this. */
export function containerWorkload(program: Program, pull?: Pull, name = 'tiny'): Workload {
  const made = workload({ argv: ['-'], name, driver: 'docker', ...(pull ? { pull } : {}) });
  return { ...made, run: { ...made.run, program } };
}

export function imageWorkload(reference: string, pull?: Pull): Workload {
  return containerWorkload({ type: 'image', image: reference }, pull);
}

/** An image that no engine has yet: another with a file of random bytes. @returns its tag */
export function freshImage(engine: Engine, base: string, bytes = 16): Promise<string> {
  const salt = randomBytes(bytes);
  const dockerfile = `FROM ${base}\nCOPY salt /salt\n`;
  return image(engine, 'fresh', [salt.toString('hex', 0, 16)], (context) => {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    writeFileSync(join(context, 'salt'), salt);
  });
}
