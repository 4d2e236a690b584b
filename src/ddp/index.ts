export { FailoverError, isFailoverError, type ErrorKind } from '../core/errors.ts';
