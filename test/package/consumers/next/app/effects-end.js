import { effects, stopWatching } from './effects-begin.js';

stopWatching();

export { effects };
