//! Streams over every form of address.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use signer_shared::address::Address;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_vsock::{VsockAddr, VsockListener, VsockStream};

/// A connected stream.
#[derive(Debug)]
pub enum Stream {
    /// Over `AF_VSOCK`.
    Vsock(VsockStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

/// Accepts connections on an [`Address`].
#[derive(Debug)]
pub enum Listener {
    /// On `AF_VSOCK`.
    Vsock(VsockListener),
    /// On a Unix socket.
    Unix(UnixListener),
}

/// Connects to an address, within `limit`: vsock itself has no connect timeout.
pub async fn dial(address: &Address, limit: Duration) -> io::Result<Stream> {
    let connecting = async {
        match address {
            Address::Vsock { cid, port } => {
                VsockStream::connect(VsockAddr::new(*cid, *port)).await.map(Stream::Vsock)
            }
            Address::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Address::VsockUds { path, port } => {
                let mut stream = UnixStream::connect(path).await?;
                select_port(&mut stream, *port).await?;
                Ok(Stream::Unix(stream))
            }
        }
    };
    timeout(limit, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

impl Listener {
    /// Binds an address. The socket file of an earlier process that no longer listens is replaced.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        if let Address::Vsock { cid, port } = address {
            return VsockListener::bind(VsockAddr::new(*cid, *port)).map(Self::Vsock);
        }
        let path = address.socket_file().ok_or(io::ErrorKind::InvalidInput)?;
        match UnixListener::bind(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if UnixStream::connect(&path).await.is_ok() {
                    return Err(error);
                }
                std::fs::remove_file(&path)?;
                UnixListener::bind(&path).map(Self::Unix)
            }
            bound => bound.map(Self::Unix),
        }
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Vsock(listener) => listener.accept().await.map(|(stream, _)| Stream::Vsock(stream)),
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

/// Says to a virtual machine monitor which port this stream is for, and reads its `OK`, a byte at a
/// time so that nothing of the stream itself is taken.
async fn select_port(stream: &mut UnixStream, port: u32) -> io::Result<()> {
    const LONGEST_ANSWER: usize = 32;
    stream.write_all(format!("CONNECT {port}\n").as_bytes()).await?;
    let mut answer = Vec::with_capacity(LONGEST_ANSWER);
    while answer.last() != Some(&b'\n') {
        if answer.len() == LONGEST_ANSWER {
            return Err(io::ErrorKind::InvalidData.into());
        }
        answer.push(stream.read_u8().await?);
    }
    if answer.starts_with(b"OK ") { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Vsock(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Vsock(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Vsock(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Vsock(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn unix_addresses_dial_and_listen() {
        let folder = std::env::temp_dir().join(format!("signer-transport-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let address = Address::Unix(folder.join("a.sock"));
        let listener = Listener::bind(&address).await.unwrap();
        assert!(Listener::bind(&address).await.is_err(), "a socket in use is left alone");
        drop(listener.accept().await.unwrap()); // the probe of the second bind
        let (mut dialled, mut accepted) =
            (dial(&address, SOON).await.unwrap(), listener.accept().await.unwrap());
        dialled.write_all(b"x").await.unwrap();
        assert_eq!(accepted.read_u8().await.unwrap(), b'x');
        drop(listener);
        Listener::bind(&address).await.expect("a dead socket file is replaced");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn hybrid_vsock_selects_its_port() {
        let folder = std::env::temp_dir().join(format!("signer-hybrid-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("v.sock");
        let monitor = UnixListener::bind(&path).unwrap();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = monitor.accept().await.unwrap();
            let mut line = [0; 13];
            stream.read_exact(&mut line).await.unwrap();
            assert_eq!(&line, b"CONNECT 5000\n");
            stream.write_all(b"OK 1073741824\nfirst").await.unwrap();
        });
        let mut stream = dial(&Address::VsockUds { path, port: 5000 }, SOON).await.unwrap();
        let mut first = [0; 5];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"first");
        answering.await.unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
