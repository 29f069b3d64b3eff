// Calls detect_faces as ZoneMinder's alarm uploader does: two calls a batch, the next batch 0.3 s after the
// last reply, a heartbeat of 60 s, a timeout of 30 s, and the end of the process at any error.
//
//   node uploader.js ENDPOINT BATCHES IMAGES   IMAGES: the argument of each call, as JSON
//
// Writes a line of JSON for each reply. Names go into HTTP headers, as the uploader's do with its pictures. An error is written to stderr as the uploader writes it.
'use strict'
const Module = require('module')
const resolve = Module._resolveFilename
// zerorpc needs the interface of zeromq 5, whose own builds are for older versions of Node.
Module._resolveFilename = function (request, ...rest) {
  return resolve.call(this, request === 'zeromq' ? 'zeromq/v5-compat' : request, ...rest)
}
const zerorpc = require('zerorpc')
const http = require('http')

const [endpoint, batches, images] = process.argv.slice(2)
const client = new zerorpc.Client({ heartbeatInterval: 60000, timeout: 30 })
client.on('error', fail)
client.connect(endpoint)

function fail (error) {
  console.error('local object detect error: ' + error.stack)
  process.exit(1)
}

function call () {
  return new Promise(done => client.invoke('detect_faces', JSON.parse(images), (error, reply) => {
    if (error) fail(error)
    console.log(reply)
    try {
      for (const label of JSON.parse(reply).flatMap(image => image.labels || [])) {
        if (label.face) http.validateHeaderValue('x-amz-meta-face', label.face)
      }
    } catch (fault) {
      fail(fault)
    }
    done()
  }))
}

async function main () {
  for (let batch = 0; batch < Number(batches); batch++) {
    await call()
    await call()
    await new Promise(done => setTimeout(done, 300))
  }
  process.exit(0)
}

main()
