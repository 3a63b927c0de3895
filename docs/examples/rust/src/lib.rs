//! What the five steps have in common.

/// Decides what a request is answered with.
pub fn reply(request: &[u8]) -> &'static [u8] {
    if request.starts_with(b"GET / HTTP/1.1\r\n") {
        b"HTTP/1.1 200 OK\r\n\r\n<h1>Hello!</h1>\n"
    } else {
        b"HTTP/1.1 404 NOT FOUND\r\n\r\n<h1>Oops!</h1>\n"
    }
}
