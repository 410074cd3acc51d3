//! Real programs under the supervisor, each in a process of its own: whoever supervises reaps every
//! child it has, and the tests of one process must not reap each other's.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests, without the harness")]

use std::{
    env,
    fs::{self, File},
    io::{self, Read},
    os::fd::AsFd,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        prctl::set_child_subreaper,
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use signer_init::{console::Console, supervise};

/// The shell script that the supervisor's process runs.
const SCRIPT: &str = "SIGNER_INIT_TEST_SCRIPT";

/// No test harness: its main thread would take the signals that are for the supervisor. Arguments are
/// parts of names, as with other tests.
fn main() {
    if let Ok(script) = env::var(SCRIPT) {
        return supervise_script(&script);
    }
    let wanted: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let tests: [(&str, fn()); 8] = [
        ("exit_codes_and_signals_are_told", exit_codes_and_signals_are_told),
        ("last_words_are_heard_and_shown", last_words_are_heard_and_shown),
        ("a_flood_is_left_out_and_holds_nobody_up", a_flood_is_left_out_and_holds_nobody_up),
        ("what_a_console_would_act_on_is_escaped", what_a_console_would_act_on_is_escaped),
        (
            "orphans_are_reaped_and_do_not_keep_the_dead_alive",
            orphans_are_reaped_and_do_not_keep_the_dead_alive,
        ),
        ("signals_are_passed_on", signals_are_passed_on),
        ("a_program_that_closes_its_output_goes_on", a_program_that_closes_its_output_goes_on),
        ("a_program_that_is_not_there_is_an_error", a_program_that_is_not_there_is_an_error),
    ];
    for (name, test) in tests {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part)) {
            test();
            println!("test {name} ... ok");
        }
    }
}

/// The supervisor, as it runs in an image, around a shell script. Its console goes to standard output.
fn supervise_script(script: &str) {
    // In an image it is PID 1, to whom orphans go.
    set_child_subreaper(true).unwrap();
    let mut console = Console::of(File::from(io::stdout().as_fd().try_clone_to_owned().unwrap()));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).env_clear();
    let child = supervise::start(command).unwrap();
    let death = child.watch_over(&mut console);
    console.say(&format!("ended: {death}"));
    let left = fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id())).unwrap();
    console.say(&format!("children left: {}", left.split_whitespace().count()));
}

/// A supervisor process, and its console.
struct Supervisor {
    process: std::process::Child,
    started: Instant,
}

impl Supervisor {
    fn around(script: &str) -> Self {
        let process = Command::new(env::current_exe().unwrap())
            .env(SCRIPT, script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self { process, started: Instant::now() }
    }

    /// The console's lines, times left out.
    fn lines(mut self) -> Vec<String> {
        let mut text = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.process.wait().unwrap().success(), "{text}");
        assert!(self.started.elapsed() < Duration::from_secs(30));
        text.lines()
            .map(|line| match line.strip_prefix("init: ") {
                Some(own) => own.split_once(" s ").unwrap().1.to_owned(),
                None => line.to_owned(),
            })
            .collect()
    }
}

fn run(script: &str) -> Vec<String> {
    Supervisor::around(script).lines()
}

fn ended(cause: &str) -> [String; 2] {
    [format!("ended: {cause}"), "children left: 0".to_owned()]
}

fn exit_codes_and_signals_are_told() {
    assert_eq!(run("exit 0"), ended("exit code 0"));
    assert_eq!(run("exit 7"), ended("exit code 7"));
    assert_eq!(run("kill -KILL $$"), ended("signal 9 SIGKILL"));
    assert_eq!(run("kill -SEGV $$"), ended("signal 11 SIGSEGV"));
    assert_eq!(run("kill -36 $$"), ended("signal 0 "), "a real-time signal has no name");
}

fn last_words_are_heard_and_shown() {
    let lines = run("echo 'nitro-signer: panic at src/a.rs:1:2' >&2; kill -ABRT $$");
    assert_eq!(lines[0], "enclave: nitro-signer: panic at src/a.rs:1:2");
    assert_eq!(lines[1..], ended("panic: src/a.rs:1:2"));
    let lines = run("printf 'nitro-signer: debug mode'; exit 1");
    assert_eq!(lines[0], "enclave: nitro-signer: debug mode");
    assert_eq!(lines[1..], ended("error: debug mode"));
}

fn a_flood_is_left_out_and_holds_nobody_up() {
    let lines =
        run("yes flood | head -c 18000000; echo 'nitro-signer: panic at src/a.rs:1:2'; kill -ABRT $$");
    let shown: usize = lines.iter().filter(|line| line.as_str() == "enclave: flood").count();
    assert!((300..3000).contains(&shown), "{shown}");
    let left_out = lines.iter().filter(|line| line.contains("left out")).count();
    assert!(left_out > 0, "{lines:?}");
    assert!(lines.ends_with(&ended("panic: src/a.rs:1:2")), "{:?}", lines.last());
}

fn what_a_console_would_act_on_is_escaped() {
    assert_eq!(run(r"printf 'a\033[2Jb\r\n'")[0], r"enclave: a\x1b[2Jb\x0d");
}

fn orphans_are_reaped_and_do_not_keep_the_dead_alive() {
    // The first ends before the program does, the second outlives it and holds its output open.
    let file = env::temp_dir().join(format!("signer-init-orphan-{}", std::process::id()));
    let script = format!("(sleep 0.1 &) ; (sleep 60 & echo $! > {}) ; sleep 0.5; exit 5", file.display());
    let supervisor = Supervisor::around(&script);
    let started = supervisor.started;
    let lines = supervisor.lines();
    let orphan: i32 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    fs::remove_file(file).unwrap();
    kill(Pid::from_raw(orphan), Signal::SIGKILL).unwrap();
    assert_eq!(lines, ["ended: exit code 5", "children left: 1"]);
    assert!(started.elapsed() < Duration::from_secs(20));
}

fn signals_are_passed_on() {
    for (signal, name) in [(Signal::SIGTERM, "TERM"), (Signal::SIGINT, "INT"), (Signal::SIGHUP, "HUP")] {
        let ready = env::temp_dir().join(format!("signer-init-ready-{name}-{}", std::process::id()));
        let script = format!(
            "trap 'echo got {name}; exit 3' {name}; touch {}; while :; do sleep 0.05; done",
            ready.display()
        );
        let supervisor = Supervisor::around(&script);
        wait_for(&ready);
        // Before it takes signals for the child, this one would end the supervisor, which is not PID 1 here.
        wait_until_blocked(supervisor.process.id());
        kill(Pid::from_raw(i32::try_from(supervisor.process.id()).unwrap()), signal).unwrap();
        let lines = supervisor.lines();
        fs::remove_file(ready).unwrap();
        assert_eq!(lines[0], format!("enclave: got {name}"));
        assert_eq!(lines[1], "ended: exit code 3");
    }
}

fn a_program_that_closes_its_output_goes_on() {
    let started = Instant::now();
    assert_eq!(run("exec >&- 2>&-; sleep 1; exit 4"), ended("exit code 4"));
    assert!(started.elapsed() >= Duration::from_secs(1));
}

fn a_program_that_is_not_there_is_an_error() {
    let error = supervise::start(Command::new("/nowhere/enclave")).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

fn wait_until_blocked(process: u32) {
    let started = Instant::now();
    let blocks = || {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim().to_owned();
        mask.contains(|digit| digit != '0')
    };
    while !blocks() {
        assert!(started.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(10));
    }
}

fn wait_for(file: &Path) {
    let started = Instant::now();
    while !file.exists() {
        assert!(started.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(10));
    }
}
