//! One frame over a connection of its own, without a runtime: for a program that is about to end,
//! perhaps in the middle of its runtime.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use signer_shared::address::Address;
use vsock::VsockStream;

/// Sends a frame, and waits until the other side has closed the connection or `limit` is over: what is
/// still under way when a machine reboots is lost. Connecting, sending and waiting take `limit` each at
/// most, and one system call more, whatever the other side does; connecting over vsock takes the
/// kernel's own two seconds.
pub fn send_and_forget(address: &Address, frame: &[u8], limit: Duration) -> io::Result<()> {
    match address {
        Address::Vsock { cid, port } => {
            let stream = VsockStream::connect_with_cid_port(*cid, *port)?;
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            exchange(&stream, frame, limit, || stream.shutdown(Shutdown::Write))
        }
        Address::Unix(path) => {
            let stream = connect(path, limit)?;
            exchange(&stream, frame, limit, || stream.shutdown(Shutdown::Write))
        }
        Address::VsockUds { path, port } => {
            let mut stream = connect(path, limit)?;
            stream.write_all(format!("CONNECT {port}\n").as_bytes())?;
            // An `OK` and a number: what follows in the other direction is of no interest.
            if stream.read(&mut [0; 32])? == 0 {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            exchange(&stream, frame, limit, || stream.shutdown(Shutdown::Write))
        }
    }
}

fn connect(path: &std::path::Path, limit: Duration) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

fn exchange<S>(
    stream: &S,
    frame: &[u8],
    limit: Duration,
    shutdown: impl FnOnce() -> io::Result<()>,
) -> io::Result<()>
where
    for<'a> &'a S: Read + Write,
{
    let mut stream = stream;
    write_within(&mut stream, frame, limit)?;
    shutdown()?;
    // End of stream, a reset, or the limit: in each case there is nothing more to be done.
    let _ = stream.read(&mut [0]);
    Ok(())
}

/// The stream's own timeout is for each call: a reader that takes a byte at a time would never meet it.
fn write_within(stream: &mut impl Write, frame: &[u8], limit: Duration) -> io::Result<()> {
    let deadline = Instant::now().checked_add(limit);
    let mut left = frame;
    while !left.is_empty() {
        if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match stream.write(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => left = left.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, path::PathBuf, thread};

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
    fn a_reader_of_single_bytes_is_not_waited_for() {
        struct Miser(usize);
        impl Write for Miser {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                thread::sleep(Duration::from_millis(5));
                self.0 += 1;
                Ok(bytes.len().min(1))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut miser = Miser(0);
        let refused = write_within(&mut miser, &[0; 1 << 14], Duration::from_millis(50)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        assert!(miser.0 < 1 << 10);
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
