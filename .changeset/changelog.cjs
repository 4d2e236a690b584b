/** The lines of CHANGELOG.md: what a user sees, without commit hashes. */
module.exports = {
  getReleaseLine: async ({ summary }) => `- ${summary.trim().replaceAll('\n', '\n  ')}`,
  // There is one package here: nothing else of ours depends on it.
  getDependencyReleaseLine: async () => '',
};
