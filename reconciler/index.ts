/** The door of this room. */
export { readApplied, type Applied } from './applied.ts';
export { compile, NOTHING, type Desired } from './compile.ts';
export { control } from './control.ts';
export type { Driver, Instance } from './drivers/driver.ts';
export { openDrivers, type Drivers } from './drivers/index.ts';
export { memoryDriver } from './drivers/memory.ts';
export { openJournal } from './journal.ts';
export { memoryParseCache, parseCache, type ParseCache } from './parse-cache.ts';
export { plan, type Actual } from './plan.ts';
export { asIfRunning, preview, type Preview } from './preview.ts';
export { emptySnapshot, NO_TRAFFIC, type Publish } from './publish.ts';
export { Reconciler, type ReconcilerOptions } from './reconciler.ts';
export { AUDIT_BRANCH } from './record/branch.ts';
export { gitRecorder, noRecorder, type Recorder } from './record/recorder.ts';
export { directorySource } from './source/directory.ts';
export { gitSource, resolveCommit } from './source/git.ts';
export type { Source } from './source/source.ts';
export { defaultStateDir, openState, stateHome, statePaths, type StateDir } from './state.ts';
