/** The `ejson` package (Meteor's own EJSON, built for npm) ships no types; `ejson.ts` says what is used of it. */
declare module 'ejson' {
  const EJSON: unknown;
  export default EJSON;
}
