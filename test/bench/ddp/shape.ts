/** What the server of the benchmark publishes, as both its sides have to know it. */
export const COLLECTIONS = 10;
/** Every so many-th document changes while nobody is connected. */
export const CHANGED_EVERY = 20;
