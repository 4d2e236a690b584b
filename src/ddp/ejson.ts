import ejson from 'ejson';
import { validate, isString, rule, badOption } from '../shared/validate.ts';

/**
 * The part of Meteor's EJSON that an app may need.
 * See https://docs.meteor.com/api/EJSON.html
 */
export interface Ejson {
  /**
   * Registers a custom type: `{"$type": name, "$value": …}` from the server arrives as `factory(value)`. Its instances are
   * sent the same way if they have the methods `typeName()` and `toJSONValue()`.
   * @throws Error if the name is taken
   * @example
   * EJSON.addType('money', (value) => new Money(value as { cents: number }));
   */
  addType(name: string, factory: (value: unknown) => unknown): void;
  /** Returns the JSON form of a value. */
  toJSONValue(value: unknown): unknown;
  /** Returns the value of a JSON form. */
  fromJSONValue(value: unknown): unknown;
  /** Compares two values; the order of keys does not matter. */
  equals(a: unknown, b: unknown): boolean;
  /** Returns a deep copy. */
  clone<T>(value: T): T;
}

/** Meteor's EJSON, in the one instance this library uses. Register custom types here. */
export const EJSON = ejson as Ejson;

const isHex = rule('24 hex digits', (hex) => isString(hex) && /^[\da-f]{24}$/i.test(hex as string));

/**
 * An id that MongoDB made, in a field, a parameter or a result: the EJSON type `oid` of Meteor. As a document's own `_id` it
 * arrives as its text.
 *
 * @example
 * await ddp.call('todos.byAuthor', new ObjectID('507f1f77bcf86cd799439011'));
 */
export class ObjectID {
  /** 24 hex digits in lower case. */
  readonly hex: string;

  /**
   * @param hex 24 hex digits
   * @throws RangeError for anything else
   */
  constructor(hex: string) {
    this.hex = validate('hex', hex, isHex).toLowerCase();
  }

  /** Name of the EJSON type. */
  typeName(): string {
    return 'oid';
  }

  /** JSON form of the EJSON type. */
  toJSONValue(): string {
    return this.hex;
  }

  /** For `JSON.stringify` in an app. A Meteor server receives the EJSON type. */
  toJSON(): string {
    return this.hex;
  }

  toHexString(): string {
    return this.hex;
  }

  toString(): string {
    return this.hex;
  }

  /** Whether `other` is an ObjectID with the same digits. */
  equals(other: unknown): boolean {
    return other instanceof ObjectID && other.hex === this.hex;
  }
}
EJSON.addType('oid', (hex) => Object.freeze(new ObjectID(String(hex))));

/** MongoDB nests BSON documents 100 levels at most. Twice that leaves room for EJSON's own wrappers. */
const MAX_DEPTH = 200;

/** Sorted keys of an object that represents another value (`builtinConverters` in the package). */
const WRAPPER = /^\$(date|InfNaN|binary|escape|flags,\$regexp|type,\$value)$/;

type Plain = Record<string, unknown>;

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const isWrapper = (keys: string[]): boolean =>
  keys.length < 3 && keys[0]?.[0] === '$' && WRAPPER.test(keys.sort().join());

/** How one object of a frame is to be read. */
type Reading =
  /** Wrappers such as `{"$date": 5}` become what they stand for. */
  | 'ejson'
  /** The object right below `$escape`: it is no wrapper, whatever it looks like. Its content is EJSON again. */
  | 'escaped'
  /** The content of a wrapper: plain JSON, all the way down. */
  | 'raw';

/**
 * Turns the result of `JSON.parse` into safe EJSON values, in place. The text may be hostile, so keys that would reach a prototype
 * are dropped: `__proto__`, and a `constructor` that carries a `prototype`. Code that copies a value key by key is safe too.
 *
 * `fromWire` and `toWire` walk the value themselves. The package's own walk clones, and its clone takes an object with a
 * key `callee` for an `arguments` object and returns an empty array. The package decides what a wrapper stands for.
 *
 * @param freeze freezes objects and arrays: documents are frozen, results belong to the caller
 * @throws RangeError beyond 200 levels of nesting, and whatever EJSON throws on a wrapper it cannot read
 */
export const fromWire = (value: unknown, freeze = false): unknown => readValue(value, freeze, 0, 'ejson');

function readValue(value: unknown, freeze: boolean, depth: number, reading: Reading): unknown {
  if (!isObject(value)) return value;
  if (depth++ > MAX_DEPTH) throw new RangeError(`expected at most ${MAX_DEPTH} levels of nesting, got more`);
  if (Array.isArray(value)) {
    const items = reading === 'raw' ? 'raw' : 'ejson';
    for (let i = 0; i < value.length; i++) value[i] = readValue(value[i], freeze, depth, items);
  } else {
    const object = value as Plain;
    const keys = Object.keys(object);
    const wrapper = reading === 'ejson' && isWrapper(keys);
    if (wrapper && '$escape' in object) return readValue(object.$escape, freeze, depth, 'escaped');
    const fields = wrapper || reading === 'raw' ? 'raw' : 'ejson';
    for (const key of keys) {
      if (reachesPrototype(key, object[key])) delete object[key];
      else object[key] = readValue(object[key], freeze, depth, fields);
    }
    if (wrapper) {
      try {
        return EJSON.fromJSONValue(object);
      } catch (error) {
        // A type that nobody has registered stays as it is on the wire.
        if (!('$type' in object)) throw error;
      }
    }
  }
  return freeze ? Object.freeze(value) : value;
}

const reachesPrototype = (key: string, value: unknown): boolean =>
  key === '__proto__' || (key === 'constructor' && isObject(value) && Object.hasOwn(value, 'prototype'));

/** Values that JSON would silently turn into others: a function into nothing, a Map into `{}`, an invalid date into null. */
const UNFIT = /^(bigint|function|symbol|\[object (?!(Array|Object)\]))/;

const EJSON_VALUE = `a value of EJSON (JSON, dates, binary data, registered types), at most ${MAX_DEPTH} levels deep`;

/**
 * Returns the JSON form of an EJSON value, for `JSON.stringify`. The value itself is not changed.
 * @param path where the value stands, for the error: `params[0].tags`
 * @throws RangeError for a value that has no form in EJSON, and beyond 200 levels of nesting, which a circular value always reaches
 */
export function toWire(value: unknown, path: string, depth = 0): unknown {
  // Non-finite numbers, and objects for which the package or a registered type has a form.
  if (
    (typeof value === 'number' && !Number.isFinite(value)) ||
    (value instanceof Date && !Number.isNaN(Number(value))) ||
    value instanceof RegExp ||
    value instanceof Uint8Array ||
    typeof (value as { toJSONValue?: unknown } | null | undefined)?.toJSONValue === 'function'
  )
    return EJSON.toJSONValue(value);
  const isTree = isObject(value);
  if (UNFIT.test(isTree ? {}.toString.call(value) : typeof value) || (isTree && depth > MAX_DEPTH))
    throw badOption(path.slice(0, 80), value, EJSON_VALUE);
  if (!isTree) return value;
  depth += 1;
  if (Array.isArray(value)) return value.map((item, i) => toWire(item, `${path}[${i}]`, depth));
  const keys = Object.keys(value);
  const copy = Object.fromEntries(
    keys.map((key) => [key, toWire((value as Plain)[key], `${path}.${key}`, depth)]),
  );
  return isWrapper(keys) ? { $escape: copy } : copy;
}

/**
 * Compares two EJSON values; the order of keys does not matter. The package's own `equals` takes `{}` for equal to `[]`, to any
 * Date and to any RegExp. So it is used for custom types only, which define their own equality.
 */
export function equals(a: unknown, b: unknown): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  if (!isObject(a) || !isObject(b)) return false;
  const kind = Object.getPrototypeOf(a) as unknown;
  if (kind !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return equals(Number(a), Number(b));
  if (a instanceof RegExp) return String(a) === String(b);
  if (kind !== Object.prototype && kind !== null && !Array.isArray(a) && !ArrayBuffer.isView(a))
    return EJSON.equals(a, b);
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equals((a as Plain)[key], (b as Plain)[key]))
  );
}
