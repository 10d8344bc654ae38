/** QuickJS within WebAssembly: compiled once per thread, and an instance with a memory of its own for each run. */
import { newQuickJSWASMModuleFromVariant, newVariant, type QuickJSWASMModule } from 'quickjs-emscripten-core';
import variant from '@jitl/quickjs-singlefile-mjs-release-sync';

/** TypeScript has it among what browsers have. */
declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number }) => object;
  instantiate: (source: unknown, imports: unknown) => Promise<{ readonly module?: object }>;
};

/** A page of WebAssembly's memory (bytes), and those that QuickJS begins with. */
const PAGE = 64 * 1024;
const FIRST_PAGES = 256;

/** Compiled code. Leaks between runs: it has no state; memory, tables and globals are each instance's own (WebAssembly, 4.2.8). */
let code: Promise<object | undefined> | undefined;

/** @param memoryBytes what its heap may grow to @returns a new one, in which nothing was ever run */
export async function newEngine(memoryBytes: number): Promise<QuickJSWASMModule> {
  // What came to nothing once, for want of memory say, is tried again.
  code ??= compile().catch((error: unknown) => {
    code = undefined;
    throw error;
  });
  const wasmModule = await code;
  return newQuickJSWASMModuleFromVariant(
    newVariant(variant, { wasmMemory: memoryOf(memoryBytes), ...(wasmModule ? { wasmModule } : {}) }),
  );
}

/** Memory bomb: QuickJS counts what it hands out, and what it does not count ends here. */
function memoryOf(bytes: number): object {
  return new WebAssembly.Memory({ initial: FIRST_PAGES, maximum: FIRST_PAGES + Math.ceil(bytes / PAGE) });
}

/**
 * The variant carries its bytes within itself, hands them to WebAssembly alone, and would have them compiled for each run. So it is
 * watched while it does that for the first time.
 * @returns `undefined` for one that does it otherwise: then each run compiles
 */
async function compile(): Promise<object | undefined> {
  const { instantiate } = WebAssembly;
  let compiled: object | undefined;
  WebAssembly.instantiate = async (source, imports) => {
    const made = await instantiate(source, imports);
    compiled = made.module;
    return made;
  };
  try {
    await newQuickJSWASMModuleFromVariant(newVariant(variant, { wasmMemory: memoryOf(0) }));
    return compiled;
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}
