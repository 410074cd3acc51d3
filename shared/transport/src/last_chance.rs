//! One frame over a connection of its own, without a runtime: for a program that is about to end,
//! perhaps in the middle of its runtime.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use signer_shared::address::Address;
use vsock::VsockStream;

/// Sends a frame, and waits until the other side has closed the connection or `limit` is over: what is
/// still under way when a machine reboots is lost. Each step takes `limit` at most, but for connecting
/// over vsock, where the kernel's own limit is two seconds.
pub fn send_and_forget(address: &Address, frame: &[u8], limit: Duration) -> io::Result<()> {
    match address {
        Address::Vsock { cid, port } => {
            let stream = VsockStream::connect_with_cid_port(*cid, *port)?;
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            exchange(&stream, frame, || stream.shutdown(Shutdown::Write))
        }
        Address::Unix(path) => {
            let stream = connect(path, limit)?;
            exchange(&stream, frame, || stream.shutdown(Shutdown::Write))
        }
        Address::VsockUds { path, port } => {
            let mut stream = connect(path, limit)?;
            stream.write_all(format!("CONNECT {port}\n").as_bytes())?;
            // An `OK` and a number: what follows in the other direction is of no interest.
            if stream.read(&mut [0; 32])? == 0 {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            exchange(&stream, frame, || stream.shutdown(Shutdown::Write))
        }
    }
}

fn connect(path: &std::path::Path, limit: Duration) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

fn exchange<S>(stream: &S, frame: &[u8], shutdown: impl FnOnce() -> io::Result<()>) -> io::Result<()>
where
    for<'a> &'a S: Read + Write,
{
    let mut stream = stream;
    stream.write_all(frame)?;
    shutdown()?;
    // End of stream, a reset, or the limit: in each case there is nothing more to be done.
    let _ = stream.read(&mut [0]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, path::PathBuf, thread, time::Instant};

    use super::*;

    const SOON: Duration = Duration::from_millis(300);

    fn socket(name: &str) -> (PathBuf, UnixListener) {
        let path = std::env::temp_dir().join(format!("signer-last-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        (path, listener)
    }

    #[test]
    fn a_frame_arrives_and_the_connection_ends() {
        let (path, listener) = socket("frame");
        let other = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        });
        send_and_forget(&Address::Unix(path.clone()), b"frame", SOON).unwrap();
        assert_eq!(other.join().unwrap(), b"frame");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn hybrid_vsock_selects_its_port() {
        let (path, listener) = socket("hybrid");
        let monitor = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = [0; 13];
            stream.read_exact(&mut line).unwrap();
            stream.write_all(b"OK 1073741824\n").unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            (line, bytes)
        });
        send_and_forget(&Address::VsockUds { path: path.clone(), port: 5003 }, b"frame", SOON).unwrap();
        assert_eq!(monitor.join().unwrap(), (*b"CONNECT 5003\n", b"frame".to_vec()));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_limit() {
        let (path, listener) = socket("silent");
        let started = Instant::now();
        let address = Address::Unix(path.clone());
        send_and_forget(&address, b"frame", SOON).unwrap();
        // More than a socket takes in.
        assert!(send_and_forget(&address, &vec![0; 64 << 20], SOON).is_err());
        assert!(started.elapsed() < SOON * 20);
        drop(listener);
        assert!(send_and_forget(&address, b"frame", SOON).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
