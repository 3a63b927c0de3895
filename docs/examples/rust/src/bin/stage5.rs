use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use smol::Async;
use std::net::TcpListener;

fn main() {
    smol::block_on(async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 7878)).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            smol::spawn(handle_connection(stream)).detach();
        }
    });
}

async fn handle_connection(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 1024];
    let n = stream.read(&mut buffer).await.unwrap();
    stream.write_all(steps::reply(&buffer[..n])).await.unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Result;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    // One Vec for both directions, as in the draft: the reply overwrites the request.
    struct MockStream {
        contents: Vec<u8>,
    }

    impl AsyncRead for MockStream {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context, buf: &mut [u8]) -> Poll<Result<usize>> {
            let n = self.contents.len().min(buf.len());
            buf[..n].copy_from_slice(&self.contents[..n]);
            Poll::Ready(Ok(n))
        }
    }

    impl AsyncWrite for MockStream {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context, buf: &[u8]) -> Poll<Result<usize>> {
            let n = self.contents.len().min(buf.len());
            self.contents[..n].copy_from_slice(&buf[..n]);
            Poll::Ready(Ok(n))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn answers_the_home_page() {
        let request = b"GET / HTTP/1.1\r\n";
        let mut contents = vec![0; 1024];
        contents[..request.len()].copy_from_slice(request);
        let mut stream = MockStream { contents };
        smol::block_on(handle_connection(&mut stream));
        assert!(stream.contents.starts_with(steps::reply(request)));
    }
}
