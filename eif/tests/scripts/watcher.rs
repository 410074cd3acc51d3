//! `scripts/deploy/nitro-signer-enclave` with a nitro-cli that does what the test says.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::image::Image;
use crate::program;

/// What `nitro-cli run-enclave` prints, in the parts that are read.
const RAN: &str = r#"{"EnclaveName": "nitro-signer", "EnclaveID": "i-1-enc2", "ProcessID": 9, "EnclaveCID": 16,
    "NumberOfCPUs": 2, "CPUIDs": [1, 3], "MemoryMiB": 512}"#;
const LONG_ENOUGH: Duration = Duration::from_secs(30);

/// One line of `nitro-cli describe-enclaves`.
fn enclave(name: &str, id: &str, cid: u32, state: &str, flags: &str) -> String {
    format!(
        r#"{{"EnclaveName": "{name}", "EnclaveID": "{id}", "ProcessID": 9, "EnclaveCID": {cid}, "NumberOfCPUs": 2,
        "CPUIDs": [1, 3], "MemoryMiB": 512, "State": "{state}", "Flags": "{flags}"}}"#
    )
}

fn ours(state: &str, flags: &str) -> String {
    enclave("nitro-signer", "i-1-enc2", 16, state, flags)
}

/// A nitro-cli whose answers are files: what it lists, what `run-enclave` prints and makes it list.
struct Nitro {
    image: Image,
    folder: PathBuf,
}

impl Nitro {
    fn new() -> Self {
        Self::with(Image::new())
    }

    fn with(image: Image) -> Self {
        let folder = image.folder().to_path_buf();
        let nitro = Self { image, folder };
        nitro.lists("");
        nitro.runs(&ours("RUNNING", "NONE"), RAN);
        program(
            &nitro.folder.join("bin/nitro-cli"),
            r#"cd "$STATE"; echo "$*" >> calls
            case "$1" in
                describe-enclaves) cat described; ! rm broken 2>/dev/null;;
                run-enclave) [ ! -f slow ] || { touch running; sleep 2; }
                    [ ! -f fails ] || { echo "E29: not enough memory" >&2; exit 1; }
                    cp after-run described; cat ran;;
                terminate-enclave) sed "s/$3/gone/; /gone/d" described | grep . > left || echo '[]' > left
                    mv left described; echo '{"Terminated": true}';;
            esac"#,
        );
        nitro
    }

    /// From now on it lists these enclaves.
    fn lists(&self, enclaves: &str) {
        self.prints(&format!("[{enclaves}]"));
    }

    /// From now on it answers this when it is asked for a list.
    fn prints(&self, text: &str) {
        // At once: the watcher may be reading.
        let new = self.folder.join("described.new");
        fs::write(&new, text.replace('\n', " ").replace("{\"EnclaveName\"", "\n{\"EnclaveName\"")).unwrap();
        fs::rename(new, self.folder.join("described")).unwrap();
    }

    /// What `run-enclave` leads to, and what it prints.
    fn runs(&self, listed: &str, printed: &str) {
        fs::write(self.folder.join("after-run"), format!("[{}]", listed.replace('\n', " "))).unwrap();
        fs::write(self.folder.join("ran"), printed).unwrap();
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.folder.join("calls")).unwrap_or_default()
    }

    fn has(&self, file: &str) {
        fs::write(self.folder.join(file), "").unwrap();
    }

    fn start(&self, settings: &[(&str, &str)]) -> Watcher {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/deploy/nitro-signer-enclave");
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap());
        let child = Command::new(script)
            .env("PATH", path)
            .env("STATE", &self.folder)
            .env("EIF", self.image.eif())
            .env("MANIFEST", self.image.manifest())
            .env("INTERVAL", "1")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Watcher { child }
    }
}

struct Watcher {
    child: Child,
}

impl Watcher {
    fn ends(mut self) -> Output {
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            if started.elapsed() > LONG_ENOUGH {
                self.child.kill().unwrap();
                panic!("it does not end: {:?}", self.child.wait_with_output().unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.wait_with_output().unwrap()
    }

    fn asked_to_stop(self) -> Output {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.ends()
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < LONG_ENOUGH, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ended with status 1, and said why.
fn ended_because(output: &Output, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(reason), "{said}");
}

const LOOK: &str = "describe-enclaves\n";

#[test]
fn an_enclave_that_dies_ends_its_watcher() {
    let nitro = Nitro::new();
    let watcher = nitro.start(&[]);
    // One look before the start, two at the running enclave.
    wait_until("a look", || nitro.calls().matches(LOOK).count() >= 3);
    nitro.lists("");
    ended_because(&watcher.ends(), "enclave i-1-enc2 is gone");
    let run = nitro.calls().lines().find(|call| call.starts_with("run-enclave")).unwrap().to_owned();
    assert!(run.contains("--cpu-count 2 --memory 512 "), "{run}");
    assert!(run.contains("--enclave-cid 16") && !run.contains("debug") && !run.contains("console"), "{run}");
}

#[test]
fn debug_mode_is_terminated() {
    let nitro = Nitro::new();
    nitro.runs(&ours("RUNNING", "DEBUG_MODE"), RAN);
    ended_because(&nitro.start(&[]).ends(), "has flags DEBUG_MODE");
    assert!(nitro.calls().contains("terminate-enclave --enclave-id i-1-enc2"));
}

#[test]
fn a_terminating_enclave_is_given_up() {
    let nitro = Nitro::new();
    nitro.runs(&ours("TERMINATING", "NONE"), RAN);
    ended_because(&nitro.start(&[]).ends(), "is TERMINATING");
}

#[test]
fn asked_to_stop_it_terminates_the_enclave() {
    let nitro = Nitro::new();
    let watcher = nitro.start(&[]);
    wait_until("a look", || nitro.calls().matches(LOOK).count() >= 2);
    let output = watcher.asked_to_stop();
    assert_eq!(output.status.code(), Some(0), "{output:?} {:?}", output.status.signal());
    assert!(nitro.calls().contains("terminate-enclave --enclave-id i-1-enc2"));
}

#[test]
fn asked_to_stop_during_the_start_it_leaves_nothing_running() {
    let nitro = Nitro::new();
    nitro.has("slow");
    let watcher = nitro.start(&[]);
    wait_until("the start", || nitro.folder.join("running").exists());
    let output = watcher.asked_to_stop();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(nitro.calls().contains("terminate-enclave --enclave-id i-1-enc2"));
}

#[test]
fn two_bad_answers_are_borne_and_three_are_not() {
    for nonsense in ["not JSON", "{}", r#"[{"EnclaveID": "i-1-enc2"}]"#, ""] {
        let nitro = Nitro::new();
        let watcher = nitro.start(&[]);
        wait_until("a look", || nitro.calls().matches(LOOK).count() >= 2);
        nitro.prints(nonsense);
        ended_because(&watcher.ends(), "cannot be watched any more");
        assert!(nitro.calls().contains("terminate-enclave --enclave-id i-1-enc2"), "{nonsense}");
    }

    let nitro = Nitro::new();
    let watcher = nitro.start(&[]);
    wait_until("a look", || nitro.calls().matches(LOOK).count() >= 2);
    nitro.has("broken");
    wait_until("a failed look", || !nitro.folder.join("broken").exists());
    let looks = nitro.calls().matches(LOOK).count();
    wait_until("five more looks", || nitro.calls().matches(LOOK).count() > looks + 5);
    let output = watcher.asked_to_stop();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("(1 of 3)"), "{output:?}");
}

#[test]
fn another_enclave_is_left_alone_and_hides_nothing() {
    let nitro = Nitro::new();
    let other = enclave("other", "i-1-enc7", 17, "RUNNING", "DEBUG_MODE");
    nitro.lists(&other);
    nitro.runs(&format!("{other},\n{}", ours("RUNNING", "NONE")), RAN);
    let watcher = nitro.start(&[]);
    wait_until("a look", || nitro.calls().matches(LOOK).count() >= 3);
    nitro.lists(&other);
    ended_because(&watcher.ends(), "enclave i-1-enc2 is gone");
    assert!(!nitro.calls().contains("terminate-enclave"));
}

#[test]
fn one_that_was_left_is_terminated_first() {
    let nitro = Nitro::new();
    nitro.lists(&enclave("nitro-signer", "i-1-enc1", 16, "RUNNING", "NONE"));
    let watcher = nitro.start(&[]);
    wait_until("the start", || nitro.calls().contains("run-enclave"));
    assert!(
        nitro.calls().starts_with("describe-enclaves\nterminate-enclave --enclave-id i-1-enc1\nrun-enclave")
    );
    assert_eq!(watcher.asked_to_stop().status.code(), Some(0));
}

#[test]
fn an_address_in_use_is_refused() {
    let nitro = Nitro::new();
    nitro.lists(&enclave("other", "i-1-enc7", 16, "RUNNING", "NONE"));
    ended_because(&nitro.start(&[]).ends(), "enclave i-1-enc7 (other) has CID 16");
    assert_eq!(nitro.calls(), LOOK);
}

#[test]
fn a_start_that_fails_says_why() {
    let nitro = Nitro::new();
    nitro.has("fails");
    ended_because(&nitro.start(&[]).ends(), "E29: not enough memory");

    for printed in ["Started enclave", &RAN.replace("16", "17"), &RAN.replace("i-1-enc2", "i 1; reboot")] {
        let nitro = Nitro::new();
        nitro.runs(&ours("RUNNING", "NONE"), printed);
        ended_because(&nitro.start(&[]).ends(), "printed no enclave with CID 16");
        assert!(nitro.calls().contains("terminate-enclave --enclave-id i-1-enc2"), "{printed}");
    }
}

#[test]
fn what_the_manifest_does_not_say_is_not_started() {
    let nitro = Nitro::new();
    nitro.image.change_enclave();
    ended_because(&nitro.start(&[]).ends(), "PCR0 of the image");
    assert_eq!(nitro.calls(), "");
}

#[test]
fn a_development_image_is_started_only_where_that_is_said() {
    let nitro = Nitro::with(Image::development());
    let refusing: [&[(&str, &str)]; 2] = [&[], &[("ALLOW_DEVELOPMENT", "no")]];
    for settings in refusing {
        ended_because(&nitro.start(settings).ends(), "the manifest says 'development'");
        assert_eq!(nitro.calls(), "");
    }
    let watcher = nitro.start(&[("ALLOW_DEVELOPMENT", "yes")]);
    wait_until("a look", || nitro.calls().matches(LOOK).count() >= 2);
    let output = watcher.asked_to_stop();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("WARNING: ALLOW_DEVELOPMENT=yes"), "{said}");
}

#[test]
fn a_start_without_signers_is_warned_of() {
    let nitro = Nitro::new();
    let watcher = nitro.start(&[]);
    wait_until("a look", || nitro.calls().matches(LOOK).count() >= 2);
    let said = watcher.asked_to_stop().stderr;
    assert!(String::from_utf8_lossy(&said).contains("WARNING: SIGNERS is empty"), "{said:?}");
}

#[test]
fn wrong_settings_are_refused_before_the_start() {
    for (setting, value, reason) in [
        ("MEMORY_MIB", "1", "4 times its size"),
        ("MEMORY_MIB", "lots", "MEMORY_MIB is no number"),
        ("CPU_COUNT", "2 --debug-mode", "CPU_COUNT is no number"),
        ("CID", "3", "CID 3 is reserved"),
        ("ALLOW_DEVELOPMENT", "perhaps", "ALLOW_DEVELOPMENT is yes or no"),
        ("EIF", "/nowhere.eif", "there is no image"),
        ("MANIFEST", "/nowhere.json", "there is no manifest"),
    ] {
        let nitro = Nitro::new();
        ended_because(&nitro.start(&[(setting, value)]).ends(), reason);
        assert_eq!(nitro.calls(), "", "{setting}");
    }
}
