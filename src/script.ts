/** The file for a script tag: every browser entry under one global, `failover`. */
export * from './index.ts';
export * from './ddp/index.ts';
export * from './meteor/index.ts';
export * from './sockjs/index.ts';
