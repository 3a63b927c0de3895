// What HTTP asks of any server. It is the same in every stage, and not part of the lesson.

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	maxHead  = 64 << 10  // bytes; a longer request head is refused
	maxInput = 256 << 10 // bytes; the server reads no more than this from a visitor
	inChunks = -1        // the length of a body that comes in chunks
)

// A badRequest is the status of the reply to input that is not a request.
type badRequest string

func (status badRequest) Error() string { return string(status) }

// readRequest returns the method and path of a request, as in "GET /sleep". It
// reads the head to its empty line, or to the end of the input, and then the
// body: a socket that is closed with input unread sends a reset, and the visitor
// may lose the reply. The error is a badRequest, or says why no request has come.
func readRequest(conn io.Reader) (string, error) {
	input := make([]byte, 0, 96) // a silent visitor costs these bytes
	head, whole := 0, false      // the length of the head's lines so far; has the empty one come?
	for {
		input = slices.Grow(input, 1) // does nothing until input is full
		n, err := conn.Read(input[len(input):min(cap(input), maxInput)])
		input = input[:len(input)+n]
		for !whole && bytes.IndexByte(input[head:], '\n') >= 0 {
			line, _, _ := bytes.Cut(input[head:], []byte("\n"))
			head += len(line) + 1
			whole = len(bytes.TrimRight(line, "\r")) == 0
		}
		switch {
		case !whole && err == nil && len(input) < maxInput:
			continue
		case head > maxHead, !whole && len(input) > maxHead:
			return "", badRequest("431 Request Header Fields Too Large")
		case head == 0, !whole && err != io.EOF:
			return "", err
		}
		request, body, err := parseHead(string(input[:head]))
		if body == inChunks {
			skipChunks(input[head:], io.LimitReader(conn, int64(maxInput-len(input))))
		}
		io.CopyN(io.Discard, conn, int64(min(head+body, maxInput)-len(input)))
		return request, err
	}
}

// parseHead returns the request and the length of its body, at most maxInput, or inChunks. It
// needs a larger stack than readRequest, where silent visitors wait.
func parseHead(head string) (request string, body int, err error) {
	requestLine, fields, _ := strings.Cut(head, "\n")
	for line := range strings.Lines(fields) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
			length, _ := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			body = int(min(length, maxInput))
		} else if strings.EqualFold(name, "Transfer-Encoding") {
			body = inChunks
		}
	}
	method, rest, _ := strings.Cut(strings.TrimRight(requestLine, "\r"), " ")
	path, version, _ := strings.Cut(rest, " ")
	if method == "" || path == "" || (version != "HTTP/1.1" && version != "HTTP/1.0") {
		return "", body, badRequest("400 Bad Request")
	}
	return method + " " + path, body, nil
}

// skipChunks reads a body to its last chunk. Each is a line with its length in hexadecimal
// digits, that many bytes, and the end of a line; the last has length 0.
func skipChunks(begun []byte, rest io.Reader) {
	body := bufio.NewReader(io.MultiReader(bytes.NewReader(begun), rest))
	for length := 1; length > 0; body.Discard(length + 2) {
		if _, err := fmt.Fscanf(body, "%x\r\n", &length); err != nil {
			return
		}
	}
}

// refuse answers a badRequest. Any other error means that no request has come.
func refuse(conn io.Writer, err error) {
	if status, ok := err.(badRequest); ok {
		writeReply(conn, string(status), "<h1>"+string(status)+"</h1>\n")
	}
}

// writeReply sends a reply, in one write. It names its length, and says that the
// connection is closed after it. If the write fails, the visitor has left.
func writeReply(conn io.Writer, status, page string) {
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\n"+
		"Content-Type: text/html; charset=utf-8\r\n"+
		"Content-Length: %d\r\n"+
		"Connection: close\r\n\r\n%s", status, len(page), page)
}
