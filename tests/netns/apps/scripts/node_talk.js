// SPDX-License-Identifier: BSD-3-Clause
// Both ends of Node's talks: serve PORT CERT KEY, ask ADDRESS PORT CERT, udp-serve and udp-ask ADDRESS PORT, cluster PORT.
'use strict';

const cluster = require('cluster');
const crypto = require('crypto');
const dgram = require('dgram');
const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');

const sum = (data) => crypto.createHash('sha256').update(data).digest('hex');

function answer(request, response) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => response.end(sum(Buffer.concat(parts))));
}

function serve(port, cert, key) {
  http.createServer(answer).listen(port, () => {
    https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, answer).listen(port + 1, () => {
      net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(port + 2, () => console.log('ready'));
    });
  });
}

function post(module, options, body) {
  return new Promise((resolve, reject) => {
    const request = module.request({ ...options, method: 'POST' }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve(Buffer.concat(parts).toString() === sum(body)));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function echo(host, port, body) {
  return new Promise((resolve, reject) => {
    const parts = [];
    const socket = net.connect({ host, port }, () => socket.end(body));
    socket.on('data', (part) => parts.push(part));
    socket.on('end', () => resolve(Buffer.concat(parts).equals(body)));
    socket.on('error', reject);
  });
}

async function ask(host, port, cert) {
  const facts = {};
  const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
  const bodies = Array.from({ length: 200 }, (_, i) => Buffer.alloc(i * 997, i));
  const good = (list) => list.filter(Boolean).length;
  facts.http = good(await Promise.all(bodies.map((b) => post(http, { host, port, agent }, b))));
  const secure = new https.Agent({ ca: fs.readFileSync(cert), keepAlive: true, maxSockets: 5 });
  facts.https = good(await Promise.all(bodies.slice(0, 40).map((b) => post(https, { host, port: port + 1, agent: secure }, b))));
  facts.net = good(await Promise.all([0, 1, 2, 3, 4].map((i) => echo(host, port + 2, Buffer.alloc(1e6 + i, i)))));
  facts.refused = await echo(host, 9, Buffer.alloc(1)).catch((error) => error.code);
  agent.destroy();
  secure.destroy();
  console.log(JSON.stringify(facts));
}

function udpServe(host, port) {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  socket.bind(port, host, () => console.log('ready'));
}

async function udpAsk(host, port) {
  const socket = dgram.createSocket('udp4');
  let same = 0;
  for (let i = 0; i < 50; i++) {
    const data = Buffer.alloc(i * 20, i);
    same += await new Promise((resolve) => {
      const timer = setInterval(() => socket.send(data, port, host), 1000);
      socket.once('message', (got) => { clearInterval(timer); resolve(got.equals(data) ? 1 : 0); });
      socket.send(data, port, host);
    });
  }
  socket.close();
  console.log(JSON.stringify({ same }));
}

function clusterServe(port) {
  if (!cluster.isPrimary) {
    http.createServer((request, response) => {
      if (request.url === '/exit') process.exit(3);
      response.end('hello\n');
    }).listen(port);
    return;
  }
  let listening = 0;
  for (let i = 0; i < 3; i++) cluster.fork();
  cluster.on('listening', () => {
    listening += 1;
    if (listening === 3) console.log('ready');
    if (listening === 4) console.log('replaced');
  });
  cluster.on('exit', () => cluster.fork());
}

const [, , what, a, b, c] = process.argv;
({
  serve: () => serve(Number(a), b, c),
  ask: () => ask(a, Number(b), c),
  'udp-serve': () => udpServe(a, Number(b)),
  'udp-ask': () => udpAsk(a, Number(b)),
  cluster: () => clusterServe(Number(a)),
})[what]();
