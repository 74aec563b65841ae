// Tells whether node_modules holds exactly what package-lock.json pins, so that a warm `make setup` does nothing.
// Plain JavaScript: it runs on the Node of the machine, before anything is installed.
import { existsSync, readFileSync } from 'node:fs';

const strict = process.argv.includes('--strict');
const problem = findProblem();
if (problem !== undefined) {
  if (strict) console.error(`node_modules is not usable: ${problem}`);
  process.exit(1);
}

/** @returns {string | undefined} what is missing, undefined when nothing is */
function findProblem() {
  if (!existsSync('node_modules/.package-lock.json')) return 'nothing is installed';
  const wanted = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;
  const have = JSON.parse(readFileSync('node_modules/.package-lock.json', 'utf8')).packages;
  for (const [path, { version, optional, link, bin }] of Object.entries(wanted)) {
    for (const name of path.includes('node_modules/') ? [] : Object.keys(bin ?? {}))
      if (!existsSync(`node_modules/.bin/${name}`)) return `the command ${name} is not linked`;
    if (!path.startsWith('node_modules/')) continue;
    if (link) {
      if (!existsSync(path)) return `${path}, a workspace, is not linked`;
      continue;
    }
    const installed = have[path];
    // Packages for other platforms are optional and rightly absent.
    if (installed === undefined ? !optional : installed.version !== version) return `${path} is not at ${version}`;
  }
  if (!existsSync('node_modules/.bin/node')) {
    return 'the node package has no binary; allow its install script (npm config get ignore-scripts)';
  }
  return undefined;
}
