/**
 * Regenerates `proto/gen`: Picket's own messages, and of Envoy's only what `envoy-protos.json` names with all it refers
 * to. Envoy's come without comments and validation options, which would be four fifths of the committed text.
 *
 * Everything is built aside and moved over file by file, so that a running type check never misses a module.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const room = import.meta.dirname;
const root = resolve(room, '..');
const bin = join(root, 'node_modules/.bin');
const packageRoot = dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js-xds/package.json'));
/** Import roots inside the package, each the base of its own import paths. */
const sourceRoots = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) =>
  join(packageRoot, 'deps', name),
);
/** Options that only matter to Envoy's own tooling. */
const droppedPackages = ['validate', 'udpa.annotations', 'xds.annotations.v3', 'envoy.annotations', 'google.api.http'];

const wanted = JSON.parse(readFileSync(join(room, 'envoy-protos.json'), 'utf8')) as {
  files: Record<string, string[]>;
  /** Fields that the package's copy of a file lacks. */
  additions: { file: string; message: string; field: string; reason: string }[];
};

const scratch = mkdtempSync(join(tmpdir(), 'picket-proto-'));
try {
  copyWithImports(Object.keys(wanted.files), join(scratch, 'envoy'));
  writeTemplate(join(scratch, 'envoy'), typeNames());
  buf(join(scratch, 'envoy'), ['build', '--exclude-source-info', '-o', 'image.binpb']);
  buf(join(scratch, 'envoy'), ['generate']);
  buf(root, ['generate', '--output', scratch]);
  cpSync(join(scratch, 'proto/gen'), join(scratch, 'envoy/gen'), { recursive: true });
  replaceTree(join(scratch, 'envoy/gen'), join(room, 'gen'));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function buf(cwd: string, args: string[]): void {
  execFileSync(join(bin, 'buf'), args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
  });
}

function copyWithImports(entries: string[], target: string): void {
  const seen = new Set<string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    // buf and protobuf-es both bring google/protobuf along.
    if (seen.has(path) || path.startsWith('google/protobuf/')) continue;
    seen.add(path);
    const source = sourceRoots.map((base) => join(base, path)).find(existsSync);
    if (!source) throw new Error(`${path} is not in ${packageRoot}`);
    const text = withAdditions(path, readFileSync(source, 'utf8').replaceAll('\r\n', '\n'));
    for (const match of text.matchAll(/^import (?:public )?"([^"]+)";/gm)) queue.push(match[1] as string);
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), text);
  }
}

function withAdditions(path: string, text: string): string {
  return wanted.additions
    .filter((addition) => addition.file === path)
    .reduce((current, { message, field }) => {
      const opening = `message ${message} {\n`;
      if (!current.includes(opening)) throw new Error(`${path} has no message ${message}`);
      if (current.includes(field)) throw new Error(`${path}: ${message} already has "${field}", drop the addition`);
      return current.replace(opening, `${opening}  ${field}\n`);
    }, text);
}

/** Qualified names of the wanted types; the package of a file comes from its own `package` line. */
function typeNames(): string[] {
  return Object.entries(wanted.files).flatMap(([path, names]) => {
    const text = readFileSync(join(scratch, 'envoy', path), 'utf8');
    const packageName = /^package ([\w.]+);/m.exec(text)?.[1];
    return names.map((name) => `${packageName}.${name}`);
  });
}

function writeTemplate(directory: string, types: string[]): void {
  writeFileSync(join(directory, 'buf.yaml'), JSON.stringify({ version: 'v2' }));
  const ours = readFileSync(join(root, 'buf.gen.yaml'), 'utf8');
  const options = /opt: \[(.*)\]/.exec(ours)?.[1]?.split(/,\s*/);
  if (!options) throw new Error('buf.gen.yaml names no plugin options');
  const template = {
    version: 'v2',
    plugins: [{ local: 'protoc-gen-es', out: 'gen', opt: options }],
    inputs: [{ binary_image: 'image.binpb', types, exclude_types: droppedPackages }],
  };
  writeFileSync(join(directory, 'buf.gen.yaml'), JSON.stringify(template));
}

function replaceTree(from: string, to: string): void {
  const fresh = listFiles(from);
  for (const path of fresh) {
    const target = join(to, path);
    const text = readFileSync(join(from, path));
    if (existsSync(target) && readFileSync(target).equals(text)) continue;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(`${target}.new`, text);
    renameSync(`${target}.new`, target);
  }
  const keep = new Set(fresh);
  for (const path of listFiles(to)) if (!keep.has(path)) rmSync(join(to, path));
}

function listFiles(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
