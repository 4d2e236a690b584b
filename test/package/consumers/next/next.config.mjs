import { fileURLToPath } from 'node:url';

export default {
  // Two folders up is where Next.js itself is installed. Without this it would look for a root further up.
  turbopack: { root: fileURLToPath(new URL('../..', import.meta.url)) },
};
