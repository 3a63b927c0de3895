// What HTTP asks of a server: the same in every stage, no part of the lesson.
// Skip it until you wonder.

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxHead  = 64 << 10  // bytes; a longer request head is refused
	maxInput = 256 << 10 // bytes; nobody gets to send more than this
)

// A badRequest is the status that answers what is not a request.
type badRequest string

func (status badRequest) Error() string { return string(status) }

// readRequest reads a request and returns its method and path, as in
// "GET /sleep". It reads the head to its empty line, however many packets that
// takes, and a body whose length it names as well: a socket that is closed with
// input unread sends a reset, and the visitor may lose the reply. A visitor who
// ends the input after the request line has asked all the same.
//
// The error is a badRequest, or that of the visitor who left or went silent.
func readRequest(conn io.Reader) (string, error) {
	// A visitor who says nothing costs these bytes, and neither a larger
	// buffer nor the larger stack that parseRequest needs.
	first := make([]byte, 128)
	n, err := conn.Read(first)
	if n == 0 && err != nil {
		return "", err
	}
	return parseRequest(io.MultiReader(bytes.NewReader(first[:n]), conn))
}

// parseRequest is readRequest once the visitor has begun to speak.
func parseRequest(conn io.Reader) (string, error) {
	input := bufio.NewReaderSize(io.LimitReader(conn, maxInput), 1024)
	requestLine, err := input.ReadString('\n')
	head, body := len(requestLine), int64(0)
	for line := requestLine; err == nil && strings.TrimRight(line, "\r\n") != ""; head += len(line) {
		line, err = input.ReadString('\n')
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
			body, _ = strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	switch {
	case head > maxHead:
		return "", badRequest("431 Request Header Fields Too Large")
	case err != nil && (err != io.EOF || !strings.HasSuffix(requestLine, "\n")):
		return "", err
	}
	io.CopyN(io.Discard, input, body)

	words := strings.Split(strings.TrimRight(requestLine, "\r\n"), " ")
	if len(words) != 3 || words[0] == "" || words[1] == "" || words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0" {
		return "", badRequest("400 Bad Request")
	}
	return words[0] + " " + words[1], nil
}

// refuse answers a badRequest. Any other error means that nobody is listening.
func refuse(conn io.Writer, err error) {
	if status := badRequest(""); errors.As(err, &status) {
		writeReply(conn, string(status), "<h1>"+string(status)+"</h1>\n")
	}
}

// writeReply writes a reply that names its length and, because the connection
// is closed after it, says so. An error means that the visitor has left, and
// there is nobody left to tell.
func writeReply(conn io.Writer, status, page string) {
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\n"+
		"Content-Type: text/html; charset=utf-8\r\n"+
		"Content-Length: %d\r\n"+
		"Connection: close\r\n"+
		"\r\n%s", status, len(page), page)
}
