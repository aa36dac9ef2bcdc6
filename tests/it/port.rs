//! An address for a program that a test starts, and perhaps starts again: nobody else is given it meanwhile.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// A free port of this host, kept by a socket that never listens. The system gives such a port to nobody who
/// asks for any, and to the one who asks for this one, as both allow it to be used again (`SO_REUSEADDR`).
pub(crate) struct Port {
    address: SocketAddr,
    _kept: TcpSocket,
}

impl Port {
    pub(crate) fn free() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("it is new");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(any).expect("a free port");
        Self {
            address: socket.local_addr().expect("an address"),
            _kept: socket,
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_program_listens_where_a_port_was_kept_for_it() {
        let port = Port::free();
        for _life in 0..2 {
            let refused = TcpStream::connect(port.address()).await;
            assert!(refused.is_err(), "nobody listens yet");
            let listener = TcpListener::bind(port.address()).await;
            let listener = listener.expect("it is free for whoever asks for it");
            let met = tokio::join!(TcpStream::connect(port.address()), listener.accept());
            assert!(met.0.is_ok() && met.1.is_ok());
        }
    }
}
