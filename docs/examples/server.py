"""A server at stage 3: every visitor gets a thread."""
import argparse, contextlib, http.client, signal, socket, threading, time

def seconds(text):  # as in 300ms, or 60s
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1])

def answer(stream):
    line = stream.readline(65536)
    if not line.endswith(b"\n") and len(line) < 65536: raise OSError("the visitor has left")
    try: headers = http.client.parse_headers(stream)
    except http.client.HTTPException: return "431 Request Header Fields Too Large", "no"
    stream.read(min(max(int(headers.get("Content-Length", 0)), 0), 262144))  # unread input is a reset
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."): return "400 Bad Request", "no"
    if words[:2] == ["GET", "/sleep"]: time.sleep(args.slow)
    if words[:2] in (["GET", "/"], ["GET", "/sleep"]): return "200 OK", "<h1>Hello!</h1>"
    return "404 Not Found", "<h1>Oops!</h1>"

def handle(visitor):
    with contextlib.suppress(OSError), visitor, visitor.makefile("rb") as stream:
        status, page = answer(stream)
        head = f"Content-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close"
        visitor.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n\r\n{page}".encode())

parser = argparse.ArgumentParser()
parser.add_argument("-addr", default="127.0.0.1:7878")
parser.add_argument("-slow", default="5s", type=seconds)
args = parser.parse_args()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once
host, port = args.addr.rsplit(":", 1)
listener = socket.create_server((host, int(port)), backlog=128)
print("listening on http://%s:%d" % listener.getsockname(), flush=True)
while True:
    try: visitor, _ = listener.accept()
    except OSError: time.sleep(1)  # no file descriptor is left; one will be
    else: threading.Thread(target=handle, args=[visitor]).start()
