import { dockerRig, imageWorkload } from '../helpers/docker-driver.ts';
import { describeEngine } from '../helpers/engine.ts';
import { serverImage } from '../helpers/images.ts';
import { driverContract } from './driver.ts';

describeEngine('Docker', async (engine) => {
  const image = await serverImage(engine);
  driverContract('docker', {
    make: () => dockerRig(engine),
    workload: (name, version = 'v1') => imageWorkload(image, { name, args: ['stdio', `version=${version}`] }),
    outlives: true,
  });
});
