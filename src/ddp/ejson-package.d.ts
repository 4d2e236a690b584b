/** The `ejson` package (Meteor's own EJSON, built for npm) ships no types; only what is used of it is declared. */
declare module 'ejson' {
  const EJSON: import('./ejson.ts').Ejson;
  export default EJSON;
}
