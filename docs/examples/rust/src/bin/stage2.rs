use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() {
    let listener = TcpListener::bind("127.0.0.1:7878").unwrap();
    smol::block_on(async {
        for stream in listener.incoming() {
            handle_connection(stream.unwrap()).await;
        }
    });
}

async fn handle_connection(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    let n = stream.read(&mut buffer).unwrap();
    stream.write_all(steps::reply(&buffer[..n])).unwrap();
}
