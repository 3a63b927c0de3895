// A server to begin with, at stage 1: it serves one visitor at a time.
const { on } = require('events')
const net = require('net')
const { setTimeout: sleep } = require('timers/promises')

const [port, slow] = process.argv.slice(2).map(Number) // slow: how many seconds GET /sleep takes
const maxHead = 65536, maxInput = 262144 // bytes

// readRequest reads a request to its end, and returns its head. It returns '' if the visitor
// leaves before, and null if the head is too long.
async function readRequest(socket) {
  let input = ''
  for await (const data of socket) {
    input += data.toString('latin1')
    const end = /\r?\n\r?\n/.exec(input)
    if ((end ? end.index : input.length) > maxHead) return null
    if (!end) continue
    const length = /^content-length:\s*(\d+)/im.exec(input.slice(0, end.index))?.[1] ?? 0
    if (input.length >= Math.min(end.index + end[0].length + Number(length), maxInput)) return input.slice(0, end.index)
  }
  return ''
}

// handle answers one request and closes the connection.
async function handle(socket) {
  const head = await readRequest(socket.iterator ? socket.iterator({ destroyOnReturn: false }) : socket)
  if (head === '') return
  let [status, page] = ['404 Not Found', '<h1>Oops!</h1>']
  const [, method, path] = /^(\S+) (\S+) HTTP\/1\.[01]\r?(\n|$)/.exec(head ?? '') ?? []
  if (head === null) status = '431 Request Header Fields Too Large'
  else if (!method) status = '400 Bad Request'
  else if (method === 'GET' && path === '/sleep') await sleep(slow * 1000)
  if (method === 'GET' && (path === '/' || path === '/sleep')) [status, page] = ['200 OK', '<h1>Hello!</h1>']
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n${page}`)
}

async function main() {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(port, '127.0.0.1', 128)
  for await (const [socket] of on(server, 'connection')) {
    socket.on('error', () => {}) // a visitor may leave at any time
    await handle(socket).catch(() => {})
    socket.destroySoon()
  }
}
main()
