"""A server to begin with, at stage 1: it serves one visitor at a time."""
import contextlib, http.client, socket, sys, time

port, slow = int(sys.argv[1]), float(sys.argv[2])  # slow: how many seconds GET /sleep takes
limit = 65536  # bytes of a line; 100 lines are the limit of parse_headers

def answer(stream):
    """Reads a request to its end, and returns the status and the page."""
    line = stream.readline(limit)
    if not line: raise OSError("the visitor has said nothing")
    if len(line) == limit: return "431 Request Header Fields Too Large", ""
    try: headers = http.client.parse_headers(stream)
    except http.client.HTTPException: return "431 Request Header Fields Too Large", ""
    length = headers.get("Content-Length", "0").strip()
    if length.isdigit(): stream.read(min(int(length), 4 * limit))  # unread input is a reset
    words = line.decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."): return "400 Bad Request", ""
    if words[:2] == ["GET", "/sleep"]: time.sleep(slow)
    if words[:2] in (["GET", "/"], ["GET", "/sleep"]): return "200 OK", "<h1>Hello!</h1>"
    return "404 Not Found", "<h1>Oops!</h1>"

def handle(visitor):
    """Answers one request and closes the connection. A visitor may leave at any time."""
    with contextlib.suppress(OSError), visitor, visitor.makefile("rb") as stream:
        status, page = answer(stream)
        head = f"Content-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close"
        visitor.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n\r\n{page}".encode())

listener = socket.create_server(("127.0.0.1", port), backlog=128)
while True:
    try: visitor, _ = listener.accept()
    except OSError: time.sleep(1)  # no file descriptor is left; one will be
    else: handle(visitor)
