/** How V8 keeps house in a program that runs for months beside others. */
import { setFlagsFromString } from 'node:v8';

/**
 * Left to itself V8 lets garbage pile up to three times what is in use before it looks, and doubles the young generation with
 * whatever a big commit leaves alive: measured with 10 000 resources, 680 MB for 120 MB. A reconciler makes much at once and then
 * nothing for hours, so it collects a little earlier, and its young generation stays as large as the start has made it.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=30');
  setFlagsFromString('--semi-space-growth-factor=1');
}
