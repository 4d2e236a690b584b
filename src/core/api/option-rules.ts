import { isFrameOrMaker } from './frame.ts';
import {
  between,
  isAnything,
  isBoolean,
  isFunction,
  isObject,
  isString,
  oneOf,
  rule,
  type Rules,
} from '../../shared/validate.ts';

export const isFrame = rule(
  'a frame (text or binary), or a function that returns one',
  isFrameOrMaker,
  'Give a `message` to ping with, or `expectEveryMs` to listen only.',
);

export const OPTION_RULES: Rules = {
  policy: isAnything,
  heartbeat: isAnything,
  hedge: isBoolean,
  probe: isAnything,
  queue: isAnything,
  handshake: isFunction,
  identify: isFunction,
  serverNotices: isBoolean,
  allowedOrigins: rule(
    'a list of origins',
    (value) => Array.isArray(value) && value.every((origin) => URL.canParse(origin as string)),
    "Give an array of absolute origins, such as ['https://b.example.org'].",
  ),
  standby: oneOf('off', 'warm'),
  events: oneOf('link', 'per-connection'),
  log: isFunction,
  layer: isAnything,
  env: isAnything,
};

const isClass = rule(
  'a class',
  isFunction,
  "On Node 20 it is `import { WebSocket } from 'ws'`: a named import, not the module.",
);

export const ENV_RULES: Rules = {
  now: isFunction,
  timeOrigin: isAnything,
  setTimeout: isFunction,
  clearTimeout: isFunction,
  random: isFunction,
  WebSocket: isClass,
  fetch: isFunction,
  page: isObject,
  subtle: isObject,
  locks: isObject,
  storage: isObject,
  userAgent: isString,
  baseUrl: isString,
  measure: isFunction,
  reportError: isFunction,
  dispose: isFunction,
};

export const HEARTBEAT_RULES: Rules = {
  message: isFrame,
  isReply: isFunction,
  required: isBoolean,
  expectEveryMs: between(50, 86_400_000),
};

export const PROBE_RULES: Rules = {
  url: rule(
    'a URL',
    (value) => URL.canParse(value as string, 'http://x'),
    'Give an absolute http or https URL, or one relative to the page.',
  ),
  crossOrigin: isBoolean,
  timeoutMs: between(50, 60_000),
};

export const QUEUE_RULES: Rules = {
  maxBytes: between(0, Infinity),
  maxMessages: between(0, Infinity),
  overflow: oneOf('throw', 'drop-oldest'),
};
