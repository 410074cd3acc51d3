//! The console: one line for each thing that happened, with the time since power-on.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    thread::sleep,
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    time::{ClockId, clock_gettime},
};

use crate::lines::escaped;

/// The longest line of ours.
const LONGEST: usize = 512;

/// A serial line needs a moment for what it was given; one that stands still gets no more of our time.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Where this program and, through it, the enclave speak.
pub struct Console(Box<dyn Write>);

impl Console {
    /// The kernel's console. A console that takes nothing loses lines and holds nobody up.
    pub fn open() -> Self {
        let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
        match OpenOptions::new().write(true).custom_flags(flags).open("/dev/console") {
            Ok(console) => Self::of(console),
            Err(_) => Self::standard(),
        }
    }

    /// Standard output.
    pub fn standard() -> Self {
        Self(Box::new(std::io::stdout()))
    }

    /// A file in the console's place.
    pub fn of(file: File) -> Self {
        Self(Box::new(file))
    }

    /// One line of this program's own.
    pub fn say(&mut self, text: &str) {
        let uptime = self.uptime();
        let text = escaped(text.as_bytes(), LONGEST);
        self.put(&format!("init: {}.{:03} s {text}\n", uptime.as_secs(), uptime.subsec_millis()));
    }

    /// One line that the enclave wrote, escaped already.
    pub fn pass_on(&mut self, line: &str) {
        self.put(&format!("enclave: {line}\n"));
    }

    /// Since power-on.
    pub fn uptime(&self) -> Duration {
        clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
    }

    fn put(&mut self, line: &str) {
        let (mut rest, mut attempts) = (line.as_bytes(), 0..ATTEMPTS);
        while !rest.is_empty() {
            match self.0.write(rest) {
                Ok(written @ 1..) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && attempts.next().is_some() => {
                    sleep(PAUSE);
                }
                // There is nobody to tell about a console that does not work.
                Ok(_) | Err(_) => return,
            }
        }
        let _ = self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, time::Instant};

    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;

    #[test]
    fn lines_carry_the_uptime_and_stay_lines() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut console = Console::of(File::from(std::os::fd::OwnedFd::from(writer)));
        console.say("one\ntwo");
        console.pass_on("three");
        drop(console);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let (first, second) = text.split_once('\n').unwrap();
        let seconds = first.strip_prefix("init: ").unwrap().strip_suffix(" s one\\x0atwo").unwrap();
        assert!(seconds.parse::<f64>().unwrap() > 0.0, "{first}");
        assert_eq!(second, "enclave: three\n");
    }

    #[test]
    fn a_console_that_stands_still_holds_nobody_up() {
        let (_reader, writer) = std::io::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut console = Console::of(File::from(std::os::fd::OwnedFd::from(writer)));
        let started = Instant::now();
        // More than a pipe holds.
        for _ in 0..150 {
            console.say(&"x".repeat(LONGEST));
        }
        assert!(started.elapsed() < Duration::from_mins(1));
    }
}
