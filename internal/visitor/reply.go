package visitor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Request returns what a browser sends, cut to what matters.
func Request(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
}

// Whole says whether a reply is complete, by its own Content-Length.
func Whole(reply []byte) bool {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(reply)), nil)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.ContentLength >= 0
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

// Check reads the reply of a visitor whose connection has ended. It must be one
// well-formed reply with one of the statuses, whose end is the connection's.
// A refusal, 400 or 431, need not be a page or name its length, unless strict. Check
// returns the page. The error says what is wrong with the reply.
func (v *Visitor) Check(strict bool, statuses ...string) (page string, err error) {
	reply, end := v.Reply()
	switch {
	case len(reply) == 0 && end == io.EOF:
		return "", errors.New("the connection was closed without an answer")
	case len(reply) == 0:
		return "", fmt.Errorf("there was no answer: %v", end)
	}
	rest := bytes.NewReader(reply)
	in := bufio.NewReader(rest)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return "", fmt.Errorf("the answer is not HTTP: %v, in %.200q", err, reply)
	}
	defer resp.Body.Close()
	if err := checkHead(resp, string(reply), strict, statuses); err != nil {
		return "", err
	}
	content, err := io.ReadAll(resp.Body)
	more := in.Buffered() + rest.Len()
	cutOff := resp.StatusCode == 431 // who is refused while still sending may lose the end
	const unread = "(A socket that is closed with input unread resets the connection)"
	switch sendErr := v.sendFailure(); {
	case err != nil && !cutOff:
		return "", fmt.Errorf("the answer ends early: %d bytes of a Content-Length of %d",
			len(content), resp.ContentLength)
	case more > 0:
		return "", fmt.Errorf("the answer goes on after its Content-Length of %d: %d more bytes",
			resp.ContentLength, more)
	case sendErr != nil && !cutOff:
		return "", fmt.Errorf("the answer is whole, but came before all was sent: %v. %s", sendErr, unread)
	case end != io.EOF && !cutOff:
		return "", fmt.Errorf("the answer is whole, but does not end well: %v. %s", end, unread)
	}
	return string(content), nil
}

func checkHead(resp *http.Response, reply string, strict bool, statuses []string) error {
	head, _, ended := strings.Cut(reply, "\r\n\r\n")
	line, _, _ := strings.Cut(head, "\r\n")
	status := strconv.Itoa(resp.StatusCode)
	switch {
	case !slices.Contains(statuses, status):
		return fmt.Errorf("the answer is %s, not %s", resp.Status, strings.Join(statuses, " or "))
	case !ended || strings.Contains(strings.ReplaceAll(head, "\r\n", ""), "\n"):
		return fmt.Errorf("the lines of the answer's head do not all end in \\r\\n: %.200q", reply)
	case strict && line != fmt.Sprintf("HTTP/1.1 %s %s", status, http.StatusText(resp.StatusCode)):
		return fmt.Errorf("the answer begins with %q", line)
	case !strict && (status == "400" || status == "431"): // it need not be a page
	case resp.Header.Get("Content-Length") == "":
		return fmt.Errorf("the answer does not name its length: there is no Content-Length in\n%s", head)
	case !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"):
		return fmt.Errorf("the answer does not say that it is a page: "+
			"there is no Content-Type: text/html in\n%s", head)
	case !resp.Close:
		return fmt.Errorf("the connection is closed after the answer, which does not say so: "+
			"there is no Connection: close in\n%s", head)
	}
	return nil
}

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
