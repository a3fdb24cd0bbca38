// Sends a few records with each of the loggers that Node.js programs use, configured
// as their documentation has it. Arguments: host, then NAME=PORT.
'use strict'
const host = process.argv[2]
const port = Object.fromEntries(process.argv.slice(3).map(a => a.split('=')).map(([k, v]) => [k, Number(v)]))
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

const senders = {
  // pino to Elasticsearch with Elastic's own client, in bulk.
  async 'pino-elasticsearch' () {
    const stream = require('pino-elasticsearch')({ node: `http://${host}:${port.web}`, index: 'shop', esVersion: 8, flushBytes: 100, flushInterval: 100 })
    stream.on('error', e => { throw e })
    stream.on('insertError', e => { throw e })
    const log = require('pino')({ level: 'info' }, stream)
    log.info({ client: { ip: '192.0.2.31' } }, 'from pino-elasticsearch')
    log.error(new Error('boom'), 'failed at pino-elasticsearch')
    await wait(1000)
  },
  // pino's lines over TCP, by the process that they are piped to.
  async 'pino-socket' () {
    const pino = require('pino')
    const log = pino(pino.transport({ target: 'pino-socket', options: { mode: 'tcp', address: host, port: port.lines } }))
    log.warn({ user: 'alice' }, 'from pino-socket')
    await wait(1500)
  },
  async 'winston-syslog' () {
    const winston = require('winston')
    const { Syslog } = require('winston-syslog')
    const log = winston.createLogger({ levels: winston.config.syslog.levels, transports: [new Syslog({ host, port: port.syslog, protocol: 'tcp4', app_name: 'shop', localhost: 'web9', type: 'RFC5424', eol: '\n' })] })
    log.error('from winston-syslog')
    await wait(800)
    log.close()
  },
  async 'winston-loki' () {
    const winston = require('winston')
    const Loki = require('winston-loki')
    const transport = new Loki({ host: `http://${host}:${port.web}`, labels: { app: 'shop' }, json: true, batching: false, format: winston.format.json(), onConnectionError: e => { throw e } })
    winston.createLogger({ transports: [transport] }).info('from winston-loki')
    await wait(800)
  },
  async 'winston-http' () {
    const winston = require('winston')
    const http = new winston.transports.Http({ host, port: port.web, path: '/ingest', format: winston.format.json() })
    winston.createLogger({ transports: [http] }).warn('from winston-http', { order: 17 })
    await wait(800)
  },
  async bunyan () {
    const socket = require('net').connect(port.lines, host)
    const log = require('bunyan').createLogger({ name: 'shop', stream: socket })
    log.fatal({ ip: '192.0.2.33' }, 'from bunyan')
    await wait(300)
    socket.end()
  },
  async 'log4js-gelf' () {
    const log4js = require('log4js')
    log4js.configure({ appenders: { gelf: { type: '@log4js-node/gelf', host, port: port.gelf, hostname: 'web9', customFields: { _order: '17' } } }, categories: { default: { appenders: ['gelf'], level: 'info' } } })
    log4js.getLogger().error('from log4js-gelf')
    await wait(500) // it packs before it sends
    await new Promise(resolve => log4js.shutdown(resolve))
  },
  // With an acknowledgement: the promise is kept when the record is on disk.
  async 'fluent-logger' () {
    const { FluentClient } = require('@fluent-org/logger')
    const client = new FluentClient('shop', { socket: { host, port: port.fluent, timeout: 3000 }, ack: { ackTimeout: 5000 } })
    await client.emit({ message: 'from fluent-logger', level: 'info' })
    await client.disconnect()
  },
  async 'splunk-logging' () {
    const { Logger } = require('splunk-logging')
    const log = new Logger({ token: 'any', url: `http://${host}:${port.web}` })
    await new Promise((resolve, reject) => {
      log.error = reject
      log.send({ message: { text: 'from splunk-logging' }, metadata: { source: 'shop', host: 'web9' }, severity: 'warning' }, (e, _, body) => e || body.code !== 0 ? reject(e || body) : resolve())
    })
  }
}

async function main () {
  for (const [name, send] of Object.entries(senders)) {
    try {
      await send()
      console.log(name)
    } catch (e) {
      console.error(name, e)
      process.exitCode = 1
    }
  }
  process.exit()
}
main()
