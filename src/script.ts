/** The script tag: everything under one global, `failover`. */
export * from './index.ts';
export * from './ddp/index.ts';
export * from './meteor/index.ts';
export * from './sockjs/index.ts';
