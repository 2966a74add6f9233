// Bundles the program, the package and the store's thread into a few files, so that a start does not look up two hundred.
// Usage: bundle.mjs <folder>. Node's own modules stay outside.

import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const source = (file) => path.join(root, 'src', file)

const bundle = await rolldown({
  cwd: root,
  // Beside each other, because the store finds its thread beside itself.
  input: { main: source('main.ts'), index: source('index.ts'), worker: source('store/sqlite/worker.ts') },
  platform: 'node',
  external: [/^node:/],
})
await bundle.write({
  dir: process.argv[2],
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
})
await bundle.close()
