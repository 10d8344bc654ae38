import { processRig } from '../helpers/process-driver.ts';
import { program } from '../helpers/processes.ts';
import { workload } from '../helpers/workload.ts';
import { driverContract } from './driver.ts';

driverContract('process', {
  make: () => processRig(),
  workload: (name, version = 'v1') => workload({ name, argv: program('good', version) }),
});
