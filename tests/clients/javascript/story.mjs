// What an application in JavaScript is: the official client, set up by loadFromCluster() alone.
// Its one argument is the folder with the node_modules of the client's version. Prints one JSON
// line for each thing it did.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';

const client = `${process.argv[2]}/node_modules/@kubernetes/client-node/dist/index.js`;
const k8s = await import(pathToFileURL(client).href);
const namespace = readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/namespace', 'utf8');
const here = `/api/v1/namespaces/${namespace}`;
const PAGES = 7;
const INITIAL_END = 'k8s.io/initial-events-end';
const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'story' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'story' } },
    template: {
      metadata: { labels: { app: 'story' } },
      spec: { containers: [{ name: 'one', image: 'example.invalid/one:1' }] },
    },
  },
};

const config = new k8s.KubeConfig();
config.loadFromCluster();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

function tell(step, result) {
  console.log(JSON.stringify({ step, result: result ?? null }));
}

async function ask(what) {
  console.log(JSON.stringify({ ask: what }));
  await answers.next();
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function refusal(error) {
  if (!(error instanceof k8s.ApiException)) return { error: String(error.message ?? error) };
  return { code: error.code, status: parse(error.body), headers: error.headers };
}

// Makes a call of the generated API, and tells what came of it; returns its object.
async function did(step, call) {
  try {
    const { httpStatusCode, headers, data } = await call();
    tell(step, { code: httpStatusCode, headers, outcome: data });
    return data;
  } catch (error) {
    tell(step, refusal(error));
    return undefined;
  }
}

function configMap(name, value = 'x') {
  return { metadata: { name, labels: { part: name.split('-')[0] } }, data: { key: value } };
}

const create = (body, more = {}) => core.createNamespacedConfigMapWithHttpInfo({ namespace, body, ...more });
const read = (name) => core.readNamespacedConfigMapWithHttpInfo({ namespace, name });
const replace = (name, body) => core.replaceNamespacedConfigMapWithHttpInfo({ namespace, name, body });
const list = (options) => core.listNamespacedConfigMapWithHttpInfo({ namespace, ...options });
const remove = (name, options) => core.deleteNamespacedConfigMapWithHttpInfo({ namespace, name, ...options });
const patchAs = (strategy) => k8s.setHeaderOptions('Content-Type', strategy);

async function objects() {
  const made = await did('create', () => create(configMap('plain', 'first')));
  await did('create-again', () => create(configMap('plain')));
  await did('create-invalid', () => create(configMap('Not_A_Name')));
  await did('create-dry-run', () => create(configMap('imagined'), { dryRun: 'All' }));
  await did('get', () => read('plain'));
  await did('get-missing', () => read('imagined'));
  made.metadata.annotations = { updated: 'once' };
  await did('update', () => replace('plain', made));
  await did('update-stale', () => replace('plain', made));
}

async function follow(step, token) {
  for (let number = 0; number === 0 || token; number++) {
    const page = await did(`${step}-${number}`, () => list({ labelSelector: 'part=page', limit: 3, _continue: token }));
    token = page?.metadata._continue;
  }
}

async function chunks() {
  for (let number = 0; number < PAGES; number++) await create(configMap(`page-${number}`));
  await follow('list-chunks');
  const first = await core.listNamespacedConfigMap({ namespace, labelSelector: 'part=page', limit: 3 });
  await replace('page-0', configMap('page-0', 'changed'));
  await ask('compact');
  let token = first.metadata._continue;
  try {
    await list({ labelSelector: 'part=page', limit: 3, _continue: token });
  } catch (error) {
    tell('list-expired', refusal(error));
    token = parse(error.body).metadata.continue;
  }
  await follow('list-resumed', token);
}

// What a watch brings until it ends, or until an event that is heeded was the last wanted.
function events(query, heed = () => false) {
  return new Promise((resolve, reject) => {
    const seen = [];
    let controller;
    const watching = new k8s.Watch(config).watch(
      `${here}/configmaps`,
      query,
      (type, object) => {
        seen.push({ type, object });
        if (heed(object)) controller.abort();
      },
      // The two versions tell of their own abort in different words.
      (error) => resolve({ events: seen, ended: error?.name === 'AbortError' ? null : refusal(error ?? 'ended') }),
    );
    watching.then((made) => (controller = made), reject);
  });
}

async function watches() {
  tell('watch-expired', await events({ resourceVersion: '1', timeoutSeconds: 3 }));
  const { metadata } = await core.listNamespacedConfigMap({ namespace });
  await create(configMap('watched', '1'));
  await core.patchNamespacedConfigMap(
    { namespace, name: 'watched', body: { data: { key: '2' } } },
    patchAs(k8s.PatchStrategy.MergePatch),
  );
  await remove('watched');
  // The server sends a bookmark two seconds before it ends a watch, if versions have advanced.
  const advance = (object) => {
    if (object.metadata.name === 'watched' && object.data.key === '1') create(configMap('unwatched'));
  };
  const since = { resourceVersion: metadata.resourceVersion, labelSelector: 'part=watched' };
  tell('watch', await events({ ...since, allowWatchBookmarks: true, timeoutSeconds: 4 }, advance));
  const whole = { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true };
  const ends = (object) => object.metadata.annotations?.[INITIAL_END] === 'true';
  tell('watch-list', await events({ ...whole, labelSelector: 'part=page', timeoutSeconds: 10 }, ends));
}

async function patches() {
  await did('create-deployment', () => apps.createNamespacedDeploymentWithHttpInfo({ namespace, body: DEPLOYMENT }));
  const { JsonPatch, MergePatch, StrategicMergePatch, ServerSideApply } = k8s.PatchStrategy;
  const two = { name: 'two', image: 'example.invalid/two:1' };
  const applied = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'story', labels: { applied: 'yes' } } };
  for (const [step, strategy, body, more] of [
    ['patch-json', JsonPatch, [{ op: 'replace', path: '/spec/replicas', value: 2 }]],
    ['patch-json-failing', JsonPatch, [{ op: 'test', path: '/spec/replicas', value: 9 }]],
    ['patch-merge', MergePatch, { metadata: { annotations: { a: 'b' } }, spec: { paused: true } }],
    ['patch-strategic', StrategicMergePatch, { spec: { template: { spec: { containers: [two] } } } }],
    ['patch-dry-run', MergePatch, { spec: { replicas: 5 } }, { dryRun: 'All' }],
    ['patch-warning', MergePatch, { spec: { replica: 5 } }, { fieldValidation: 'Warn' }],
    ['patch-conflict', MergePatch, { metadata: { resourceVersion: '1' } }],
    ['patch-apply', ServerSideApply, applied, { fieldManager: 'story' }],
  ]) {
    const patch = { namespace, name: 'story', body, ...more };
    await did(step, () => apps.patchNamespacedDeploymentWithHttpInfo(patch, patchAs(strategy)));
  }
  for (const [step, fieldManager, value, force] of [
    ['apply-create', 'one', 'x', false],
    ['apply-conflict', 'two', 'y', false],
    ['apply-force', 'two', 'y', true],
  ]) {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', ...configMap('applied', value) };
    const patch = { namespace, name: 'applied', body, fieldManager, force };
    await did(step, () => core.patchNamespacedConfigMapWithHttpInfo(patch, patchAs(ServerSideApply)));
  }
  const untyped = k8s.KubernetesObjectApi.makeApiClient(config);
  tell('untyped', await untyped.read({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied', namespace } }));
}

// A call past the generated API, by the options that the client makes for node's own.
async function raw(step, method, path, headers = {}, body = undefined) {
  const options = { method, headers: { ...headers } };
  await config.applyToHTTPSOptions(options);
  const told = await new Promise((resolve, reject) => {
    const call = request(new URL(config.getCurrentCluster().server + path), options, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        const content = Buffer.concat(pieces);
        const magic = content.subarray(0, 3).toString() === 'k8s';
        const outcome = magic ? content.subarray(0, 24).toString('hex') : parse(content.toString().slice(0, 100000));
        const { connection, 'keep-alive': idle, 'transfer-encoding': framing, ...kept } = answer.headers;
        resolve({ code: answer.statusCode, headers: kept, outcome });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
  tell(step, told);
}

async function odd() {
  await create(configMap('big', 'a line that repeats itself well\n'.repeat((300 * 1024) / 32)));
  await did('gzip', () => read('big'));
  const at = `${here}/configmaps`;
  await raw('table', 'GET', `${at}?fieldSelector=metadata.name%3Dbig`, { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
  await raw('metadata-only', 'GET', at, { Accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' });
  await raw('protobuf', 'GET', at, { Accept: 'application/vnd.kubernetes.protobuf' });
  await raw('not-acceptable', 'GET', at, { Accept: 'application/xml' });
  for (const path of ['/version', '/readyz', '/api', '/nowhere']) await raw(`raw-${path}`, 'GET', path);
  await raw('raw-head', 'HEAD', at);
  await raw('raw-wrong-method', 'POST', `${at}/big`, { 'Content-Type': 'application/json' }, '{}');
  await raw('raw-bad-media', 'POST', at, { 'Content-Type': 'application/xml' }, '<a/>');
  await raw('raw-escaped-name', 'GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode');
  await raw('raw-bad-selector', 'GET', `${at}?labelSelector=a%3D%3D%3Db`);
  await did('forbidden', () => core.listNodeWithHttpInfo());
  const reviews = config.makeApiClient(k8s.AuthenticationV1Api);
  await did('who-am-i', () => reviews.createSelfSubjectReviewWithHttpInfo({ body: {} }));
}

async function removals() {
  const uid = '00000000-0000-0000-0000-000000000000';
  await did('delete-precondition', () => remove('big', { body: { preconditions: { uid } } }));
  await did('delete-dry-run', () => remove('big', { dryRun: 'All' }));
  await did('delete', () => remove('big', { gracePeriodSeconds: 0 }));
  await did('delete-again', () => remove('big'));
  const collection = (options) => core.deleteCollectionNamespacedConfigMapWithHttpInfo({ namespace, ...options });
  await did('delete-collection', () => collection({ labelSelector: 'part=page' }));
  await did('list-left', () => list({}));
  await did('delete-all', () => collection({}));
  await did('delete-deployment', () => apps.deleteNamespacedDeploymentWithHttpInfo({ namespace, name: 'story' }));
}

// The informer of the library, over a few changes.
async function informer() {
  const labelSelector = 'part=informed';
  const lister = () => core.listNamespacedConfigMap({ namespace, labelSelector });
  const informing = k8s.makeInformer(config, `${here}/configmaps`, lister, labelSelector);
  const seen = [];
  const done = new Promise((resolve) => {
    for (const event of ['add', 'update', 'delete'])
      informing.on(event, (object) => {
        seen.push(`${event} ${object.metadata.name} ${object.data.key}`);
        if (event === 'delete' && object.metadata.name === 'informed-9') resolve();
      });
    informing.on('error', (error) => seen.push(`error ${error}`));
  });
  await create(configMap('informed-0', 'before'));
  await informing.start();
  for (let number = 1; number < 10; number++) {
    const name = `informed-${number}`;
    await create(configMap(name, '1'));
    await replace(name, configMap(name, '2'));
    await remove(name);
  }
  await done;
  await informing.stop();
  await remove('informed-0');
  tell('informer', seen);
}

class Collected extends PassThrough {
  constructor() {
    super();
    this.pieces = [];
    this.on('data', (piece) => this.pieces.push(piece));
  }
  get text() {
    return Buffer.concat(this.pieces).toString();
  }
}

async function attempt(step, work) {
  try {
    tell(step, await work());
  } catch (error) {
    tell(step, refusal(error));
  }
}

async function until(condition) {
  for (const end = Date.now() + 10000; !condition() && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function streams() {
  const execute = (pod, command, input) => async () => {
    const [out, errors] = [new Collected(), new Collected()];
    const stdin = input === undefined ? null : new PassThrough();
    const status = await new Promise((resolve, reject) => {
      new k8s.Exec(config).exec(namespace, pod, 'main', command, out, errors, stdin, false, resolve).then(() => stdin?.write(input), reject);
    });
    return { out: out.text, errors: errors.text, status };
  };
  await attempt('exec', execute('talker', ['sh', '-c', 'echo out; echo err >&2; exit 7']));
  await attempt('exec-input', execute('talker', ['sh', '-c', 'read line; echo heard $line'], 'a line\n'));
  await attempt('exec-stray', execute('stray', ['true']));
  await attempt('attach', async () => {
    const out = new Collected();
    const socket = await new k8s.Attach(config).attach(namespace, 'talker', 'main', out, null, null, false);
    await until(() => out.text.includes('\n'));
    socket.close();
    return out.text;
  });
  await attempt('port-forward', async () => {
    const [out, errors, input] = [new Collected(), new Collected(), new PassThrough()];
    const socket = await new k8s.PortForward(config).portForward(namespace, 'talker', [7778], out, errors, input);
    input.write('to the port\n');
    await until(() => out.text.includes('\n'));
    socket.close();
    return { out: out.text, errors: errors.text };
  });
  for (const [step, pod, follow] of [
    ['logs', 'talker', false],
    ['logs-follow', 'talker', true],
    ['logs-stray', 'stray', false],
  ])
    await attempt(step, async () => {
      const out = new Collected();
      await new k8s.Log(config).log(namespace, pod, 'main', out, { follow });
      await until(() => out.text.includes('line 4\n'));
      return out.text;
    });
}

for (const part of [objects, chunks, watches, patches, odd, removals, informer, streams]) await part();
process.exit(0);
