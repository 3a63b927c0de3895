//! A server to begin with, at stage 1: it serves one visitor at a time.
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, thread, time::Duration};

const MAX_HEAD: u64 = 64 << 10; // bytes
const MAX_INPUT: u64 = 256 << 10;

fn main() {
    let args: Vec<String> = env::args().collect();
    let slow = Duration::from_secs_f64(args[2].parse().unwrap()); // GET /sleep takes so long
    let listener = TcpListener::bind(format!("127.0.0.1:{}", args[1])).unwrap();
    for visitor in listener.incoming() {
        match visitor {
            Ok(visitor) => drop(handle(visitor, slow)), // a visitor may leave at any time
            Err(_) => thread::sleep(Duration::from_secs(1)), // no file descriptor is left
        }
    }
}

/// Answers one request; the connection is closed when visitor goes out of scope.
fn handle(mut visitor: TcpStream, slow: Duration) -> io::Result<()> {
    let request_line = read_request(&visitor)?;
    let words: Vec<&str> = request_line.trim_end().split(' ').collect();
    let (status, page) = match words[..] {
        ["too long"] | ["too", "long"] => ("431 Request Header Fields Too Large", ""),
        ["GET", path @ ("/" | "/sleep"), "HTTP/1.0" | "HTTP/1.1"] => {
            if path == "/sleep" {
                thread::sleep(slow);
            }
            ("200 OK", "<h1>Hello!</h1>")
        }
        [_, _, "HTTP/1.0" | "HTTP/1.1"] => ("404 Not Found", "<h1>Oops!</h1>"),
        _ => ("400 Bad Request", ""),
    };
    let reply = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}", page.len());
    visitor.write_all(reply.as_bytes())
}

/// Reads a request to its end: a socket that is closed with input unread sends a reset.
fn read_request(visitor: &TcpStream) -> io::Result<String> {
    let mut input = BufReader::new(visitor.take(MAX_HEAD));
    let (mut request_line, mut body) = (String::new(), 0);
    loop {
        let mut line = Vec::new();
        input.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") && input.get_ref().limit() == 0 {
            return Ok("too long".to_string());
        }
        let line = String::from_utf8_lossy(&line).to_string();
        if let Some(length) = line.to_lowercase().strip_prefix("content-length:") {
            body = length.trim().parse().unwrap_or(0).min(MAX_INPUT);
        }
        if line.trim().is_empty() {
            break;
        }
        if request_line.is_empty() {
            request_line = line;
        }
    }
    if request_line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    input.get_mut().set_limit(body);
    io::copy(&mut input.take(body), &mut io::sink())?;
    Ok(request_line)
}
