// Signs every case of cases.json with npm's jose: `node make.mjs <path of jose's package> <name>`, into <name>.json.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, name] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const { version } = JSON.parse(readFileSync(join(folder, 'package.json')))
const jose = await import(pathToFileURL(require.resolve(resolve(folder))))
const { keys, cases } = JSON.parse(readFileSync(new URL('cases.json', import.meta.url)))

const tokens = {}
for (const { name, key, header, claims } of cases) {
  const bytes = new TextEncoder().encode(JSON.stringify(claims))
  try {
    const signing = await jose.importJWK(keys[key], header.alg)
    tokens[name] = await new jose.CompactSign(bytes).setProtectedHeader(header).sign(signing)
  } catch (error) {
    console.error(`${name}: ${error.message}`)
  }
}
writeFileSync(new URL(`${name}.json`, import.meta.url), JSON.stringify({ made_by: `jose ${version}`, tokens }, null, 1) + '\n')
