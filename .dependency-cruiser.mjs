// The arrows between the modules of src/: who may import whom. Imports of types count too, unless a rule says otherwise.

/** Anything that is neither on the list nor a module of Node. */
const outside = (...allowed) => ({ pathNot: allowed, dependencyTypesNot: ['core'] })

/** Anything that is not on the list, modules of Node included. */
const otherThan = (...allowed) => ({ pathNot: allowed })

const domain = '^src/domain/'
const engine = '^src/engine/'
const operations = '^src/operations/'
const store = '^src/store/'
const storeInterface = '^src/store/store\\.ts$'
const versions = '^src/http/versions/'
const wire = '^src/http/wire/'
const cli = '^src/cli/'
const config = '^src/config\\.ts$'
const main = '^src/main\\.ts$'
const index = '^src/index\\.ts$'
const assembly = '^src/granary\\.ts$'
const answers = '^src/answers\\.ts$'
const postgres = '^src/store/postgres/'
const zod = '^node_modules/zod/'
const pg = '^node_modules/(@types/)?pg/'
const nodeCrypto = '^(node:)?crypto$'

/** The outer modules: each may also import from its own folder. */
const outer = (folder) => [
  {
    name: `${folder}-imports`,
    comment: `${folder}/ imports only operations/, domain/, types of engine/, its own folder, zod and Node.`,
    severity: 'error',
    from: { path: `^src/${folder}/`, pathNot: [versions, wire] },
    to: outside(`^src/${folder}/`, operations, engine, domain, zod),
  },
  {
    name: `${folder}-engine-types`,
    comment: `${folder}/ knows the types of engine/, and runs it only through operations/.`,
    severity: 'error',
    from: { path: `^src/${folder}/`, pathNot: [versions, wire] },
    to: { path: engine, dependencyTypesNot: ['type-only'] },
  },
]

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'domain-imports',
      comment: 'domain/ imports only domain/: no Node, no packages.',
      severity: 'error',
      from: { path: domain },
      to: otherThan(domain),
    },
    {
      name: 'store-interface-imports',
      comment: 'store/store.ts, the interface of every store, imports only domain/.',
      severity: 'error',
      from: { path: storeInterface },
      to: otherThan(domain),
    },
    {
      name: 'store-imports',
      comment: 'The stores import only store/, domain/ and Node.',
      severity: 'error',
      from: { path: store, pathNot: [storeInterface, postgres] },
      to: outside(store, domain),
    },
    {
      name: 'store-postgres-imports',
      comment: 'store/postgres/ alone knows the driver.',
      severity: 'error',
      from: { path: postgres },
      to: outside(store, domain, pg),
    },
    {
      name: 'engine-imports',
      comment: 'engine/ imports only engine/, domain/, store/store.ts and node:crypto.',
      severity: 'error',
      from: { path: engine },
      to: otherThan(engine, domain, storeInterface, nodeCrypto),
    },
    {
      name: 'operations-imports',
      comment: 'operations/ imports only operations/, engine/, domain/, store/store.ts and node:crypto.',
      severity: 'error',
      from: { path: operations },
      to: otherThan(operations, engine, domain, storeInterface, nodeCrypto),
    },
    {
      name: 'http-versions-imports',
      comment: 'http/versions/ imports only http/versions/, http/wire/ and domain/.',
      severity: 'error',
      from: { path: versions },
      to: otherThan(versions, wire, domain),
    },
    {
      name: 'http-wire-imports',
      comment: 'http/wire/ imports only http/wire/, domain/ and zod.',
      severity: 'error',
      from: { path: wire },
      to: otherThan(wire, domain, zod),
    },
    ...outer('http'),
    ...outer('cli'),
    ...outer('worker'),
    {
      name: 'config-imports',
      comment: 'Of src/, config.ts imports only cli/, domain/ and log.ts.',
      severity: 'error',
      from: { path: config },
      to: outside(cli, domain, zod, '^src/log\\.ts$'),
    },
    {
      name: 'only-the-doors-choose-a-store',
      comment: 'Only main.ts and index.ts, the two doors, import a store; everyone else is handed one.',
      severity: 'error',
      from: { pathNot: [store, main, index] },
      to: { path: store, pathNot: storeInterface },
    },
    {
      name: 'assembly-imports',
      comment: 'granary.ts puts engine, operations and http together, for whoever hands it a store.',
      severity: 'error',
      from: { path: assembly },
      to: otherThan(engine, operations, '^src/http/app\\.ts$', domain, storeInterface),
    },
    {
      name: 'index-imports',
      comment: 'index.ts, the door for other programs, knows no server, no command line and no settings.',
      severity: 'error',
      from: { path: index },
      to: outside(assembly, answers, '^src/http/(app\\.ts$|wire/)', domain, store, zod),
    },
    {
      name: 'every-file-has-its-place',
      comment: 'A file outside of the folders above imports nothing: give a new folder its arrows here.',
      severity: 'error',
      from: {
        pathNot: [
          '^src/(domain|engine|operations|store|http|cli|worker)/',
          '^src/(main|config|index|granary|log)\\.ts$',
        ],
      },
      to: {},
    },
    {
      name: 'no-cycles',
      comment: 'No module imports itself, directly or through others.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'Every module is connected to another.',
      severity: 'error',
      from: { orphan: true, pathNot: [main, index] },
      to: {},
    },
    {
      name: 'no-unresolvable',
      comment: 'Every import leads somewhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    exclude: { path: '\\.test\\.ts$' },
    doNotFollow: { path: '^node_modules/' },
    tsPreCompilationDeps: true,
    moduleSystems: ['es6'],
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.json', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
}
