import { dockerRig, httpWorkload, imageWorkload } from '../helpers/docker-driver.ts';
import { describeEngine } from '../helpers/engine.ts';
import { serverImage } from '../helpers/images.ts';
import { driverContract } from './driver.ts';

describeEngine('Docker', async (engine) => {
  const image = await serverImage(engine);
  const make = () => dockerRig(engine);
  driverContract('docker over stdio', {
    make,
    workload: (name, version = 'v1') => imageWorkload(image, { name, args: ['stdio', `version=${version}`] }),
    outlives: true,
  });
  driverContract('docker over HTTP', {
    make,
    workload: (name, version = 'v1') => httpWorkload(image, { name, args: [`version=${version}`] }),
    outlives: true,
    http: true,
  });
});
