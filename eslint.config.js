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

export default tseslint.config(
  { ignores: ['dist', 'coverage', 'site', '.cache'] },
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
