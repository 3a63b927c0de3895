package visitor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Request returns what a browser sends, cut to what matters.
func Request(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
}

// Whole says whether a reply is complete by its own account: it has as many bytes as its
// Content-Length says, or its last chunk. A reply with neither ends with the connection.
func Whole(reply []byte) bool {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(reply)), nil)
	switch {
	case err != nil, resp.ContentLength < 0 && resp.TransferEncoding == nil:
		return false
	case resp.ContentLength >= 0:
		_, length := cutHead(reply)
		return int64(length) >= resp.ContentLength
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil
}

// cutHead returns a reply's head, with its empty line, and how many bytes come after it.
func cutHead(reply []byte) (head string, length int) {
	end := len(reply)
	for _, line := range []string{"\r\n\r\n", "\n\n", "\n\r\n"} {
		if i := bytes.Index(reply, []byte(line)); i >= 0 {
			end = min(end, i+len(line))
		}
	}
	return string(reply[:end]), len(reply) - end
}

// Complete says whether a whole reply has come, or the connection has ended.
func (v *Visitor) Complete() bool {
	reply, end := v.Reply()
	return end != nil || Whole(reply)
}

// Status returns the status of the reply, as in "200", or "" if there is none.
func (v *Visitor) Status() string {
	reply, _ := v.Reply()
	line, _, _ := strings.Cut(string(reply), "\n")
	if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(words[0], "HTTP/") {
		return words[1]
	}
	return ""
}

// Page returns the page of a reply that is complete and has one of the statuses, of which "any" is one. The error
// says what is wrong with the reply otherwise. A reply with status 431 may be cut off: who
// is refused while they still send may lose the end.
func (v *Visitor) Page(statuses ...string) (string, error) {
	reply, end := v.Reply()
	switch {
	case len(reply) == 0 && end == io.EOF:
		return "", errors.New("the connection was closed without an answer")
	case len(reply) == 0:
		return "", fmt.Errorf("there was no answer: %v", end)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(reply)), nil)
	if err != nil {
		return "", fmt.Errorf("the answer is not HTTP: %v, in %.200q", err, reply)
	}
	page, err := io.ReadAll(resp.Body)
	switch {
	case !slices.Contains(statuses, strconv.Itoa(resp.StatusCode)) && !slices.Contains(statuses, "any"):
		return "", fmt.Errorf("the answer is %s, not %s", resp.Status, strings.Join(statuses, " or "))
	case err != nil && resp.StatusCode != 431:
		return "", fmt.Errorf("the answer ends early: %d bytes of a Content-Length of %d", len(page), resp.ContentLength)
	}
	return string(page), nil
}

// EndsWell returns an error if something comes after the visitor's reply, or if the
// connection is reset with it, so that the visitor may lose the reply.
func (v *Visitor) EndsWell(strict bool) error {
	reply, end := v.Reply()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(reply)), nil)
	// Who is refused while they still send may lose the end. A stage reads for a while.
	const maxRead = 256 << 10
	if err != nil || resp.StatusCode == 431 && (!strict || v.given > maxRead) {
		return nil
	}
	const unread = "(A socket that is closed with input unread resets the connection)"
	_, length := cutHead(reply)
	switch sendErr := v.sendFailure(); {
	case resp.ContentLength >= 0 && int64(length) > resp.ContentLength:
		return fmt.Errorf("the answer goes on after its Content-Length of %d: %d more bytes",
			resp.ContentLength, int64(length)-resp.ContentLength)
	case sendErr != nil:
		return fmt.Errorf("the answer is whole, but came before all was sent: %v. %s", sendErr, unread)
	case end != nil && end != io.EOF:
		return fmt.Errorf("the answer is whole, but does not end well: %v. %s", end, unread)
	}
	return nil
}

// Lacks returns all that is missing of a well-formed reply, each as in "no Content-Type".
// HTTP leaves some of that to the server; where strict is set, the choice is the stages'.
func (v *Visitor) Lacks(strict bool) (lacks []string) {
	reply, end := v.Reply()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(reply)), nil)
	if err != nil {
		return []string{fmt.Sprintf("it is not HTTP: %v, in %.200q", err, reply)}
	}
	head, _ := cutHead(reply)
	line, _, _ := strings.Cut(head, "\r\n")
	missing := func(missing bool, what string) {
		if missing {
			lacks = append(lacks, what)
		}
	}
	old := resp.ProtoMinor == 0 || strings.Contains(v.Said(), " HTTP/1.0\r\n")
	chunked := resp.TransferEncoding != nil && !strict && !old
	kind := resp.Header.Get("Content-Type")
	missing(strings.Contains(strings.ReplaceAll(head, "\r\n", ""), "\n"), `the lines of the head do not all end in \r\n`)
	missing(strict && line != fmt.Sprintf("HTTP/1.1 %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)),
		fmt.Sprintf("it begins with %.60q", line))
	missing(kind == "" && !strict, "no Content-Type")
	missing(strict && !strings.HasPrefix(kind, "text/html"), "no Content-Type: text/html")
	missing(resp.Header.Get("Content-Length") == "" && !chunked, "no Content-Length")
	missing(!saysClose.MatchString(head) && (strict || !old), "no Connection: close")
	missing(end == nil, "the connection stays open after it")
	if err := v.EndsWell(strict); err != nil {
		missing(true, err.Error())
	}
	return lacks
}

var saysClose = regexp.MustCompile(`(?mi)^Connection:[ \t]*close\b`) // net/http takes the line away

// sendFailure returns the error that kept the visitor from sending, if the server has
// reset the connection. A reset that the sender is told of is hidden from who receives.
func (v *Visitor) sendFailure() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if errors.Is(v.sendErr, syscall.ECONNRESET) || errors.Is(v.sendErr, syscall.EPIPE) {
		return v.sendErr
	}
	return nil
}
