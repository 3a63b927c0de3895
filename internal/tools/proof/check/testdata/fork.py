"""A process for each visitor, as many servers in C have it."""
import os, signal, socket, sys, time

signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    visitor, _ = listener.accept()
    if os.fork() == 0:
        request = visitor.recv(65536)
        if request.startswith(b"GET /sleep "): time.sleep(float(sys.argv[2]))
        if request: visitor.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nHello!")
        os._exit(0)
    visitor.close()
