/** THE list of what brings a route tools of the gateway's own. */
import type { Route } from '../../schemas/snapshot.ts';
import { gateTools } from '../gate/tools.ts';
import { discoveryTools } from '../lazy/discovery.ts';
import { pluginTools } from '../plugins/tools.ts';
import { resultTools } from '../results/tools.ts';
import { scriptTools } from '../script/run-script.ts';
import type { Front, OwnTool } from './own-tool.ts';

/** Which tools a route has because of its config, in the order in which they are listed; their names never clash. */
export type OwnToolsOf = (route: Route, front: Front) => readonly OwnTool[];

export const OWN_TOOLS: readonly OwnToolsOf[] = [
  discoveryTools,
  scriptTools,
  (_route, { view }) => resultTools(view),
  gateTools,
  (_route, { plugged }) => pluginTools(plugged),
];
