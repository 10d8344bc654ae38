import { memoryDriver } from '../../reconciler/drivers/memory.ts';
import { workload } from '../helpers/workload.ts';
import { driverContract } from './driver.ts';

driverContract('memory', {
  async make() {
    const driver = memoryDriver();
    return { driver, [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose]() };
  },
  workload: (name, version = 'v1') => workload({ name, driver: 'memory', argv: ['memory', version] }),
  noProcess: 'they are objects of this process',
});
