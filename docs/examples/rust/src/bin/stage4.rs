use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::Async;
use std::net::{TcpListener, TcpStream};

fn main() {
    smol::block_on(async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 7878)).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            smol::spawn(handle_connection(stream)).detach();
        }
    });
}

async fn handle_connection(mut stream: Async<TcpStream>) {
    let mut buffer = [0; 1024];
    let n = stream.read(&mut buffer).await.unwrap();
    stream.write_all(steps::reply(&buffer[..n])).await.unwrap();
}
