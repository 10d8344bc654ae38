/** The part of undici that is used; its main module brings all of fetch along, 10 MB of it. */
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}
