//! The sign of life that nitro-cli waits for: without it, it ends the enclave.

use std::{
    io::{self, Read, Write},
    thread::sleep,
    time::Duration,
};

use signer_shared::address::Address;

use crate::report::dial;

const BEAT: u8 = 0xB7;
/// nitro-cli listens before it starts an enclave: the first attempt is answered, or a later one only
/// if the parent is very slow. Where nobody listens (QEMU) a refusal comes at once.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);
/// For each step of an attempt.
const LIMIT: Duration = Duration::from_secs(1);

/// Says that the enclave lives, and waits for the echo. Takes about ten seconds at most.
pub fn beat(parent: &Address) -> io::Result<()> {
    let mut last = Ok(());
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            sleep(PAUSE);
        }
        last = once(parent);
        if last.is_ok() {
            break;
        }
    }
    last
}

fn once(parent: &Address) -> io::Result<()> {
    let mut stream = dial(parent, LIMIT)?;
    stream.write_all(&[BEAT])?;
    let mut echo = [0];
    stream.read_exact(&mut echo)?;
    if echo == [BEAT] {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the parent answered with something else"))
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, thread};

    use super::*;

    /// A parent that answers each connection with the next of these.
    fn with_parent(name: &str, answers: &'static [Option<u8>]) -> io::Result<()> {
        let path = std::env::temp_dir().join(format!("signer-init-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let parent = thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut beat = [0];
                stream.read_exact(&mut beat).unwrap();
                assert_eq!(beat, [0xB7]);
                if let Some(answer) = answer {
                    stream.write_all(&[*answer]).unwrap();
                }
            }
        });
        let result = beat(&Address::Unix(path.clone()));
        parent.join().unwrap();
        std::fs::remove_file(path).unwrap();
        result
    }

    #[test]
    fn an_echo_is_all_it_takes() {
        with_parent("echo", &[Some(0xB7)]).unwrap();
    }

    #[test]
    fn it_is_tried_again() {
        with_parent("again", &[None, Some(0), Some(0xB7)]).unwrap();
    }

    #[test]
    fn another_answer_is_none() {
        let error = with_parent("other", &[Some(0xB8), Some(0xB8), Some(0xB8)]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn where_nobody_listens_it_ends_soon() {
        let started = std::time::Instant::now();
        assert!(beat(&Address::Unix("/nowhere/heartbeat.sock".into())).is_err());
        assert!(started.elapsed() < Duration::from_secs(1));
    }
}
