/** The same promises on Podman; what is special there is in `test/containers/podman.container.test.ts`. */
import { afterAll } from 'vitest';
import { dockerRig, httpWorkload, imageWorkload } from '../helpers/docker-driver.ts';
import { serverImage } from '../helpers/images.ts';
import { copyImage, describePodman, testPodman } from '../helpers/podman.ts';
import { driverContract } from './driver.ts';

describePodman('Podman', async (docker) => {
  const image = await serverImage(docker);
  const podman = await testPodman();
  const engine = await podman.engine();
  afterAll(async () => {
    engine[Symbol.dispose]();
    await podman[Symbol.asyncDispose]();
  });
  await copyImage(docker, engine, image);
  const make = () => dockerRig(engine);
  const place = podman.spec;
  driverContract('docker on Podman over HTTP', {
    make,
    workload: (name, version = 'v1') => httpWorkload(image, { name, args: [`version=${version}`], place }),
    outlives: true,
    http: true,
  });
  driverContract('docker on Podman over stdio', {
    make,
    workload: (name, version = 'v1') => imageWorkload(image, { name, args: ['stdio', `version=${version}`], place }),
    outlives: true,
  });
});
