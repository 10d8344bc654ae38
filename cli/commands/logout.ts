export { logout as command } from './login.ts';
