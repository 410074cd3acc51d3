//! Telling the host why the enclave ended.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use signer_shared::{address::Address, frame, last_words::LastWords};
use vsock::VsockStream;

/// For each step: the machine is about to be rebooted, and the host need not listen.
const LIMIT: Duration = Duration::from_secs(1);

/// Sends the last words, and waits until the host has closed the connection: a reboot would overtake
/// bytes that are still under way.
pub fn send(host: &Address, words: &LastWords, uptime: Duration) -> io::Result<()> {
    let uptime_ms = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
    let frame = frame::encode(&words.to_event(uptime_ms)).map_err(io::Error::other)?;
    let mut stream = dial(host, LIMIT)?;
    stream.write_all(&frame)?;
    stream.finish()
}

/// A connection of either kind, with a limit on each of its steps.
pub(crate) enum Connection {
    Vsock(VsockStream),
    Unix(UnixStream),
}

/// Connects. vsock's own limit on that is two seconds; Unix sockets answer at once.
pub(crate) fn dial(address: &Address, limit: Duration) -> io::Result<Connection> {
    match address {
        Address::Vsock { cid, port } => {
            let stream = VsockStream::connect_with_cid_port(*cid, *port)?;
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            Ok(Connection::Vsock(stream))
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            Ok(Connection::Unix(stream))
        }
        Address::VsockUds { .. } => Err(io::ErrorKind::Unsupported.into()),
    }
}

impl Connection {
    fn finish(mut self) -> io::Result<()> {
        match &self {
            Self::Vsock(stream) => stream.shutdown(Shutdown::Write)?,
            Self::Unix(stream) => stream.shutdown(Shutdown::Write)?,
        }
        // End of stream, a reset or the limit: in each case there is nothing more to be done.
        let _ = self.read(&mut [0]);
        Ok(())
    }
}

impl Read for Connection {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Vsock(stream) => stream.read(bytes),
            Self::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Vsock(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, thread, time::Instant};

    use signer_shared::{
        frame::HEADER,
        last_words::{Cause, Reporter},
        service::Event,
    };

    use super::*;

    fn words() -> LastWords {
        LastWords { reporter: Reporter::Init, cause: Cause::Signal { signal: 9 }, detail: None }
    }

    fn socket(name: &str) -> (std::path::PathBuf, UnixListener) {
        let path = std::env::temp_dir().join(format!("signer-init-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        (path, listener)
    }

    #[test]
    fn the_host_gets_one_event() {
        let (path, listener) = socket("report");
        let host = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        });
        send(&Address::Unix(path.clone()), &words(), Duration::from_millis(1234)).unwrap();
        let bytes = host.join().unwrap();
        std::fs::remove_file(path).unwrap();
        let event: Event = frame::decode(&bytes[HEADER..]).unwrap();
        assert_eq!(event.uptime_ms, 1234);
        assert_eq!(LastWords::of_event(&event), Some(words()));
    }

    #[test]
    fn a_host_that_does_not_read_holds_nobody_up() {
        let (path, listener) = socket("silent");
        let started = Instant::now();
        send(&Address::Unix(path.clone()), &words(), Duration::ZERO).unwrap();
        assert!(started.elapsed() < Duration::from_secs(5));
        drop(listener);
        assert!(send(&Address::Unix(path.clone()), &words(), Duration::ZERO).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
