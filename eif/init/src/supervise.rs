//! Runs one program: passes on its output within limits, forwards signals, reaps, until it ends.

use std::{
    fs, io,
    io::{PipeReader, Read},
    os::fd::AsFd,
    process::{Command, Stdio},
    time::Instant,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{
    console::Console,
    death::{Death, Ending, Said, oom_kills},
    limiter::Limiter,
    lines::Lines,
};

/// What is passed on to the program.
const FORWARDED: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
/// How much of its output is read in one go.
const CHUNK: usize = 16 * 1024;
/// How much is still read once it has ended: what it left behind may write for ever.
const CHUNKS_AFTERWARDS: usize = 16;
/// A signal that got lost is noticed after this.
const LONGEST_WAIT_MS: u16 = 1000;

/// A program that runs.
pub struct Child {
    pid: Pid,
    output: Option<PipeReader>,
    signals: SignalFd,
    oom_kills: u64,
    heard: Heard,
}

/// What becomes of its output.
struct Heard {
    lines: Lines,
    limiter: Limiter,
    said: Said,
}

/// Starts a program, its input empty, its output in our hands.
pub fn start(mut command: Command) -> io::Result<Child> {
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let oom_kills = read_oom_kills();
    let signals: SigSet = FORWARDED.into_iter().chain([Signal::SIGCHLD]).collect();
    let child = command.spawn()?;
    // The command holds the pipe's other end, which only the program may keep open.
    drop(command);
    // Only now, so that the program does not inherit it. A child that ended before is found all the
    // same: it is asked for before anything is waited for.
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    Ok(Child {
        pid: Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?),
        output: Some(reader),
        signals,
        oom_kills,
        heard: Heard {
            lines: Lines::default(),
            limiter: Limiter::new(Instant::now()),
            said: Said::default(),
        },
    })
}

impl Child {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Until it ends.
    pub fn watch_over(mut self, console: &mut Console) -> Death {
        let ending = loop {
            if let Some(ending) = self.reap() {
                break ending;
            }
            self.wait();
            self.forward_signals();
            self.hear(console);
        };
        for _ in 0..CHUNKS_AFTERWARDS {
            if !self.hear(console) {
                break;
            }
        }
        self.heard.finish(console);
        Death::of(ending, self.heard.said, read_oom_kills().saturating_sub(self.oom_kills))
    }

    /// Reaps whoever has ended, and says how the program did if it is among them.
    fn reap(&self) -> Option<Ending> {
        let mut ending = None;
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.pid => ending = Some(Ending::Exited(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.pid => {
                    ending = Some(Ending::Signalled(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => return ending,
                // Nobody is left, so the program is not either.
                Err(Errno::ECHILD) => return ending.or(Some(Ending::Signalled(0))),
                // Reaped, but by a signal that has no name (a real-time one): whose it was shows below.
                Err(Errno::EINVAL) if kill(self.pid, None) == Err(Errno::ESRCH) => {
                    ending = ending.or(Some(Ending::Signalled(0)));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Until there is output, a signal, or enough time has passed.
    fn wait(&self) {
        let mut waiting = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        waiting.extend(self.output.as_ref().map(|output| PollFd::new(output.as_fd(), PollFlags::POLLIN)));
        // A failure is an interruption; what happened is asked for afterwards anyway.
        let _ = poll(&mut waiting, PollTimeout::from(LONGEST_WAIT_MS));
    }

    fn forward_signals(&self) {
        while let Ok(Some(found)) = self.signals.read_signal() {
            let signal = i32::try_from(found.ssi_signo).ok().and_then(|signal| Signal::try_from(signal).ok());
            if let Some(signal) = signal.filter(|signal| FORWARDED.contains(signal)) {
                let _ = kill(self.pid, signal);
            }
        }
    }

    /// Reads what there is, and says whether there was anything.
    fn hear(&mut self, console: &mut Console) -> bool {
        let Some(output) = self.output.as_mut() else { return false };
        let mut waiting = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut waiting, PollTimeout::ZERO), Ok(ready) if ready > 0) {
            return false;
        }
        let mut chunk = [0; CHUNK];
        match output.read(&mut chunk) {
            Ok(length @ 1..) => {
                self.heard.take(chunk.get(..length).unwrap_or_default(), console);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            // Nobody writes any more, which alone is not the program's end.
            Ok(_) | Err(_) => {
                self.output = None;
                false
            }
        }
    }
}

impl Heard {
    fn take(&mut self, bytes: &[u8], console: &mut Console) {
        let Self { lines, limiter, said } = self;
        lines.feed(bytes, |line| pass(line, limiter, said, console));
    }

    fn finish(&mut self, console: &mut Console) {
        let Self { lines, limiter, said } = self;
        lines.finish(|line| pass(line, limiter, said, console));
        tell_dropped(limiter, console);
    }
}

/// A line that is too much for the console is still heard: it may be the last words.
fn pass(line: &str, limiter: &mut Limiter, said: &mut Said, console: &mut Console) {
    said.hear(line);
    if limiter.admit(line.len(), Instant::now()) {
        tell_dropped(limiter, console);
        console.pass_on(line);
    }
}

fn tell_dropped(limiter: &mut Limiter, console: &mut Console) {
    if let Some(dropped) = limiter.take_dropped() {
        console.say(&format!(
            "{} lines of the enclave's output left out ({} bytes)",
            dropped.lines, dropped.bytes
        ));
    }
}

fn read_oom_kills() -> u64 {
    fs::read_to_string("/proc/vmstat").ok().and_then(|text| oom_kills(&text)).unwrap_or_default()
}
