/** Hostile values: what a server, a proxy in between, or another user of it may put on the wire. */
import fc from 'fast-check';

const parse = (text: string): unknown => JSON.parse(text);

/** Keys that reach for a prototype, as JSON can carry them. */
const evil = fc
  .constantFrom(
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":{"__proto__":{"polluted":1},"b":[{"__proto__":null}]}}',
    '{"__proto__":{"toJSONValue":1,"typeName":2}}',
    '{"toJSONValue":1,"typeName":1,"clone":1,"equals":1,"callee":1,"length":-1}',
    '{"hasOwnProperty":1,"toString":null,"valueOf":0,"then":1}',
  )
  .map(parse);

const json = fc.jsonValue({ maxDepth: 3 });
/** EJSON's wrappers around anything, right and wrong. */
const wrapper = fc.oneof(
  fc.record({ $date: json }),
  fc.record({ $date: fc.integer() }),
  fc.record({ $binary: fc.oneof(json, fc.base64String()) }),
  fc.record({ $InfNaN: fc.oneof(json, fc.constantFrom(-1, 0, 1)) }),
  fc.record({ $regexp: fc.oneof(fc.string(), json), $flags: fc.oneof(fc.string(), json) }),
  fc.record({ $type: fc.oneof(fc.constantFrom('oid', '__proto__', 'none'), json), $value: json }),
  fc.record({ $escape: json }),
  fc.record({ $escape: fc.record({ $date: json }) }),
);
const nested = fc.tuple(fc.constantFrom(150, 199, 200, 201, 1_000), fc.boolean()).map(([depth, list]) => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = list ? [value] : { a: value };
  return value;
});
const large = fc.oneof(
  fc.integer({ min: 1_000, max: 30_000 }).map((n) => 'x'.repeat(n)),
  fc.integer({ min: 100, max: 2_000 }).map((n) => Array<unknown>(n).fill(null)),
);

export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: json },
  { weight: 3, arbitrary: evil },
  { weight: 3, arbitrary: wrapper },
  { weight: 2, arbitrary: fc.constantFrom('', '-', '~', '~{', '~[1]', '~1', '1', '2', '3', null, -1, 1e308) },
  { weight: 1, arbitrary: fc.dictionary(fc.constantFrom('a', '__proto__', '$date', 'msg'), wrapper) },
  { weight: 1, arbitrary: fc.oneof({ weight: 6, arbitrary: nested }, { weight: 1, arbitrary: large }) },
);

/** Anything that JavaScript can hold, for what does not come over a wire. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.anything({
      withBigInt: true,
      withDate: true,
      withTypedArray: true,
      withNullPrototype: true,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom<unknown>(
      ...[
        undefined,
        null,
        NaN,
        Infinity,
        -Infinity,
        -0,
        -1,
        0,
        1,
        10,
        50,
        1_000,
        2 ** 31,
        1e300,
        '',
        'x',
        '5',
      ],
      ...[true, false, [], {}, () => {}, Symbol('x'), new Date(NaN), 10n, new Map(), 'toString', '__proto__'],
    ),
  },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: hostile },
);

/** A text with a wound: cut, doubled, or with something foreign in it. */
export const wounded = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(
      text,
      fc.nat(),
      fc.nat({ max: 4 }),
      fc.oneof(fc.constant(''), fc.string({ unit: 'binary', maxLength: 4 })),
    )
    .map(([of, at, length, foreign]) => {
      const from = of.length ? at % of.length : 0;
      return of.slice(0, from) + foreign + of.slice(from + length);
    });
