/** Where a benchmark's Slipway has its repository. */
import { Desk } from '../helpers/slipway.ts';

/** The remote is most often another machine. Here it shares ours: it keeps what it gets as it comes, which takes least. */
export class BenchDesk extends Desk {
  constructor() {
    super();
    this.git(this.remote, 'config', 'receive.unpackLimit', '1');
  }
}
