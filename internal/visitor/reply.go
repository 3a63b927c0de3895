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
)

// Request returns a request like that of a browser, with the necessary lines only.
func Request(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
}

// A parsedReply is a reply as far as it has come.
type parsedReply struct {
	*http.Response        // nil if there is an err
	err            error  // why the reply is not HTTP, or that its head is not complete
	head           string // with its empty line, as it came
	page           []byte
	early          bool // the page is shorter than the head says
	more           int  // bytes that come after a page with a Content-Length
}

func parse(reply []byte) (p parsedReply) {
	source := bytes.NewReader(reply)
	r := bufio.NewReader(source)
	if p.Response, p.err = http.ReadResponse(r, nil); p.err != nil {
		return p
	}
	p.head = string(reply[:len(reply)-source.Len()-r.Buffered()])
	page, err := io.ReadAll(p.Body)
	p.page, p.early = page, err != nil
	if p.ContentLength >= 0 {
		p.more = source.Len() + r.Buffered()
	}
	return p
}

// whole says whether the reply is complete by its own account: it has as many bytes as its
// Content-Length says, or its last chunk. A reply with neither ends with the connection.
func (p parsedReply) whole() bool {
	return p.err == nil && !p.early && (p.ContentLength >= 0 || p.TransferEncoding != nil)
}

// Whole says whether a reply has come that is complete by its own account, whatever has become of
// the connection.
func (v *Visitor) Whole() bool {
	reply, _ := v.Reply()
	return parse(reply).whole()
}

// Status returns the status of the reply, as in "200", or "" if its head has not come.
func (v *Visitor) Status() string {
	reply, _ := v.Reply()
	if p := parse(reply); p.err == nil {
		return strconv.Itoa(p.StatusCode)
	}
	return ""
}

// Page returns the page of a reply that is complete and has one of the statuses, of which "any" is
// one. The error says what is wrong with the reply otherwise. A reply with status 431 may be cut
// off: a visitor who is refused while still sending may lose its end.
func (v *Visitor) Page(statuses ...string) (string, error) {
	reply, end := v.Reply()
	p := parse(reply)
	switch {
	case len(reply) == 0 && end == io.EOF:
		return "", errors.New("the connection was closed without an answer")
	case len(reply) == 0:
		return "", fmt.Errorf("there was no answer: %v", end)
	case p.err != nil:
		return "", fmt.Errorf("the answer is not HTTP: %v, in %.200q", p.err, reply)
	case !slices.Contains(statuses, strconv.Itoa(p.StatusCode)) && !slices.Contains(statuses, "any"):
		return "", fmt.Errorf("the answer is %s, not %s", p.Response.Status, strings.Join(statuses, " or "))
	case p.early && p.StatusCode != 431:
		return "", fmt.Errorf("the answer ends early: %d bytes of a Content-Length of %d", len(p.page), p.ContentLength)
	}
	return string(p.page), nil
}

// EndsWell returns an error if something comes after the visitor's reply, or if the connection is
// reset with it, so that the visitor may lose the reply. A visitor who is refused with status 431 while
// still sending may lose it; where strict is set, only if they send more than a stage reads.
func (v *Visitor) EndsWell(strict bool) error {
	const maxRead = 256 << 10
	const unread = "(A socket that is closed with input unread resets the connection)"
	reply, end := v.Reply()
	p := parse(reply)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case p.err != nil, p.StatusCode == 431 && (!strict || v.given > maxRead):
		return nil
	case p.more > 0:
		return fmt.Errorf("the answer goes on after its Content-Length of %d: %d more bytes", p.ContentLength, p.more)
	case v.sendErr != nil: // a reset that has ended the sending is not seen by the receiver
		return fmt.Errorf("the answer is whole, but came before all was sent: %v. %s", v.sendErr, unread)
	case end != nil && end != io.EOF:
		return fmt.Errorf("the answer is whole, but does not end well: %v. %s", end, unread)
	}
	return nil
}

var saysClose = regexp.MustCompile(`(?mi)^Connection:[ \t]*close\b`) // net/http removes the line

// Lacks returns all that is missing of a well-formed reply, each as in "no Content-Type".
// HTTP leaves some of that to the server; where strict is set, the choice is the stages'.
func (v *Visitor) Lacks(strict bool) (lacks []string) {
	reply, end := v.Reply()
	p := parse(reply)
	if p.err != nil {
		return []string{fmt.Sprintf("it is not HTTP: %v, in %.200q", p.err, reply)}
	}
	missing := func(missing bool, what string) {
		if missing {
			lacks = append(lacks, what)
		}
	}
	line, _, _ := strings.Cut(p.head, "\r\n")
	old := p.ProtoMinor == 0 || strings.Contains(v.Said(), " HTTP/1.0\r\n")
	chunked := p.TransferEncoding != nil && !strict && !old
	kind := p.Header.Get("Content-Type")
	missing(strings.Contains(strings.ReplaceAll(p.head, "\r\n", ""), "\n"), `the lines of the head do not all end in \r\n`)
	missing(strict && line != fmt.Sprintf("HTTP/1.1 %d %s", p.StatusCode, http.StatusText(p.StatusCode)),
		fmt.Sprintf("it begins with %.60q", line))
	missing(kind == "" && !strict, "no Content-Type")
	missing(strict && !strings.HasPrefix(kind, "text/html"), "no Content-Type: text/html")
	missing(p.Header.Get("Content-Length") == "" && !chunked, "no Content-Length")
	missing(!saysClose.MatchString(p.head) && (strict || !old), "no Connection: close")
	missing(end == nil, "the connection stays open after it")
	if err := v.EndsWell(strict); err != nil {
		missing(true, err.Error())
	}
	return lacks
}
