import tseslint from 'typescript-eslint';

/** What a page's own scripts may name; everything else undefined there is a typing mistake. */
const browserGlobals = [
  'AbortController',
  'Blob',
  'CSS',
  'CustomEvent',
  'Event',
  'EventSource',
  'FormData',
  'Node',
  'ResizeObserver',
  'URL',
  'URLSearchParams',
  'WebSocket',
  'addEventListener',
  'cancelAnimationFrame',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'customElements',
  'document',
  'fetch',
  'getComputedStyle',
  'history',
  'HTMLElement',
  'localStorage',
  'location',
  'matchMedia',
  'navigator',
  'performance',
  'queueMicrotask',
  'removeEventListener',
  'requestAnimationFrame',
  'sessionStorage',
  'setInterval',
  'setTimeout',
  'structuredClone',
  'window',
];

/** Every line counts, blank ones and comments too: the limits are about how much a reader sees at once. */
const lines = (file, aFunction) => ({
  'max-lines': ['error', { max: file, skipBlankLines: false, skipComments: false }],
  'max-lines-per-function': [
    'error',
    { max: aFunction, skipBlankLines: false, skipComments: false, IIFEs: true },
  ],
});

export default tseslint.config(
  // The consumers are users' apps: they import a package that is built later, and have tools of their own.
  { ignores: ['dist', 'coverage', 'site', '.cache', 'test/package/consumers'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  ...tseslint.configs.recommended,
  {
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'off',
      'no-self-compare': 'error',
      'no-template-curly-in-string': 'error',
      'no-unreachable-loop': 'error',
      'object-shorthand': 'error',
      'prefer-template': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // What needs types: forgotten promises above all.
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-for-in-array': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  { rules: lines(400, 150) },
  {
    // A file of tests is a list, and a `describe` is a function by its form only.
    files: ['test/**/*.test.ts'],
    rules: lines(1_000, 450),
  },
  {
    // The helpers of the tests: worlds, apps and servers that are one closure each.
    files: ['test/**'],
    ignores: ['test/**/*.test.ts', 'test/{bench,soak,support}/**/page*.js'],
    rules: lines(400, 200),
  },
  {
    // A script for a page is one closure around all it has.
    files: ['test/{bench,soak,support}/**/page*.js'],
    rules: lines(400, 400),
  },
  {
    files: ['src/**'],
    rules: { 'no-console': 'error' },
  },
  {
    // Whoever installs it has no link yet whose events could say it.
    files: ['src/meteor/**'],
    rules: { 'no-console': ['error', { allow: ['warn'] }] },
  },
  {
    files: ['demo/{app,control-room}/**/*.js', 'test/{bench,support}/**/page*.js'],
    languageOptions: { globals: Object.fromEntries(browserGlobals.map((name) => [name, 'readonly'])) },
    rules: { 'no-undef': 'error' },
  },
);
