//! The demo, as a program sees it: every step, what can be tried, and that nothing is left behind.

#![allow(clippy::print_stdout, reason = "a test's output says what it did")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use signer_tests::stack;

const STEPS: [&str; 16] = [
    "kms",
    "enclave",
    "keyring",
    "refused_unattested",
    "refused_image",
    "refused_configuration",
    "wallet",
    "evm",
    "solana",
    "denied",
    "forged",
    "session",
    "restart",
    "audit",
    "attest",
    "ready",
];

/// What is refused, and the rule that the answer names.
const DENIED: [(u16, &str, Option<&str>); 10] = [
    (403, "policy_denied", Some("contract-creation")),
    (403, "policy_denied", Some("sanctioned")),
    (403, "policy_denied", Some("token-approvals")),
    (403, "policy_denied", None),
    (403, "policy_denied", None),
    (403, "policy_denied", None),
    (403, "policy_denied", None),
    (403, "limit_reached", Some("payouts")),
    (403, "approval_required", Some("large-payouts")),
    (409, "nonce_conflict", Some("payouts")),
];

/// For everything to stop after SIGTERM.
const STOPPING: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_as_it_must_be() {
    let mut demo = Demo::start("a", &["--json", "--listen", "127.0.0.1:0"]);
    let steps = STEPS.map(|name| demo.step(name));
    let [
        kms,
        enclave,
        keyring,
        unattested,
        image,
        configuration,
        wallet,
        evm,
        solana,
        denied,
        forged,
        session,
        restart,
        audit,
        attest,
        ready,
    ] = &steps;

    assert_eq!(kms["pinned"]["PCR0"], enclave["pcr0"]);
    assert_eq!(kms["pinned"]["PCR16"], enclave["pcr16"]);
    assert_eq!(keyring["verdict"], "match");
    assert_eq!(keyring["phase"], "ready");
    for refused in [unattested, image, configuration] {
        assert_eq!(refused["error"], "AccessDeniedException", "{refused}");
    }
    assert_eq!(image["pcr0_genuine"], enclave["pcr0"]);
    assert_ne!(image["pcr0"], enclave["pcr0"]);
    assert_eq!(configuration["pcr16_genuine"], enclave["pcr16"]);
    assert_ne!(configuration["pcr16"], enclave["pcr16"]);
    assert_eq!(evm["recovered"], wallet["evm"]);
    assert_eq!(solana["signer"], wallet["solana"]);
    let refused: Vec<(u16, &str, Option<&str>)> = denied["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let status = one["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or_default();
            (status, one["code"].as_str().unwrap_or_default(), one["rule"].as_str())
        })
        .collect();
    assert_eq!(refused, DENIED);
    assert_eq!(denied["approvers"], serde_json::json!(["alice", "bob"]));
    assert!(denied["approved"].is_string(), "{denied}");
    assert_eq!(forged["refused"].as_array().map(Vec::len), Some(4));
    assert_eq!(session["transaction_hash"], evm["transaction_hash"]);
    assert_eq!(restart["address"], wallet["evm"]);
    assert!(restart["refusals_503"].as_u64() > Some(0), "{restart}");
    assert_eq!((&audit["outcome"], &audit["boots"]), (&"holds".into(), &2.into()));
    assert!(audit["records"].as_u64() > Some(10) && audit["problem"].is_string(), "{audit}");
    assert_eq!((&attest["verdict"], &attest["emulated"]), (&"match".into(), &true.into()));
    assert_eq!(ready["wallet"], wallet["wallet"]);

    let lines = commands(ready);
    let [setting, show, sign, prove] = [0, 1, 2, 3].map(|index| lines[index].as_str());
    let by_signerctl = |line: &str| by_shell(&format!("{setting}\n{line}"));
    assert!(by_signerctl(show).contains(wallet["evm"].as_str().unwrap()));
    assert!(by_signerctl(sign).contains(evm["signed_transaction"].as_str().unwrap()));
    assert!(by_signerctl(prove).contains("Everything matches"));
    let url = ready["url"].as_str().unwrap();
    let [attestation, status] = answers(&lines[4..], url).await.try_into().unwrap();
    assert_eq!(attestation["boot_id"], attest["boot_id"]);
    assert_eq!(status["enclave"]["boot_id"], attest["boot_id"]);

    let running = descendants(demo.child.id());
    assert_eq!(running.len(), 3, "KMS, enclave and host: {running:?}");
    demo.stop();
    for id in running {
        assert!(!is_running(id), "process {id} is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_open_no_client_needs_a_key() {
    let mut demo = Demo::start("c", &["--json", "--open", "--listen", "127.0.0.1:0"]);
    let steps: Vec<Value> =
        STEPS[..15].iter().chain(&["open", "ready"]).map(|name| demo.step(name)).collect();
    let (evm, attest, ready) = (&steps[7], &steps[14], &steps[16]);
    let lines = commands(ready);
    let url = ready["url"].as_str().unwrap();
    let [wallets, signed, attestation] = answers(&lines, url).await.try_into().unwrap();
    assert_eq!(wallets["wallets"][0]["id"], ready["wallet"]);
    assert_eq!(signed["signed_transaction"], evm["signed_transaction"]);
    assert_eq!(attestation["boot_id"], attest["boot_id"]);
    demo.stop();
}

#[test]
fn people_read_a_line_a_step() {
    let mut demo = Demo::start("b", &["--once", "--verbose", "--listen", "127.0.0.1:0"]);
    let mut text = String::new();
    demo.lines.read_to_string(&mut text).unwrap();
    println!("{text}");
    assert_eq!(demo.wait(STOPPING).and_then(|status| status.code()), Some(0));
    assert_eq!(fs::read_dir(&demo.temporary).unwrap().count(), 0, "nothing is left");
    let done: Vec<&str> = text.lines().filter(|line| line.starts_with('✓')).collect();
    assert_eq!(done.len(), STEPS.len());
    for (line, step) in done.iter().zip(STEPS) {
        assert!(line.contains(&step.replace('_', " ")), "{line}");
    }
    assert!(text.contains("$ signerctl keyring create "));
    assert!(!text.contains('\x1b'), "colour is for terminals");
}

#[test]
fn a_taken_address_is_said_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = demo(&["--json", "--once", "--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("taken") && said.contains("--listen"), "{said}");
}

/// A running demo, stopped when it is dropped.
struct Demo {
    child: Child,
    lines: BufReader<ChildStdout>,
    temporary: PathBuf,
}

impl Demo {
    fn start(name: &str, arguments: &[&str]) -> Self {
        // A folder of its own for temporary files, short because sockets are in it.
        let temporary = env::temp_dir().join(format!("{name}{}", std::process::id()));
        fs::create_dir_all(&temporary).unwrap();
        let mut child = demo(arguments).env("TMPDIR", &temporary).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, temporary }
    }

    /// The next line, which must be this step, and a success.
    fn step(&mut self, name: &str) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        let step: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{name}: {error}: {line:?}"));
        assert_eq!((&step["step"], &step["ok"]), (&name.into(), &true.into()), "{step}");
        assert!(step["ms"].is_u64(), "{step}");
        println!("{step}");
        step
    }

    /// Ends it with SIGTERM, as an operator would.
    fn stop(mut self) {
        assert_eq!(fs::read_dir(&self.temporary).unwrap().count(), 1, "the demo's one folder");
        self.terminate();
        let status = self.wait(STOPPING).expect("it stops soon");
        assert_eq!(status.code(), Some(0));
        assert_eq!(fs::read_dir(&self.temporary).unwrap().count(), 0, "nothing is left");
    }

    fn terminate(&self) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
    }

    fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // SIGTERM first: SIGKILL would leave its own processes behind.
            self.terminate();
            if self.wait(STOPPING).is_none() {
                drop((self.child.kill(), self.child.wait()));
            }
        }
        drop(fs::remove_dir_all(&self.temporary));
    }
}

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The lines that can be tried.
fn commands(ready: &Value) -> Vec<String> {
    let lines = ready["commands"].as_array().unwrap();
    lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// What the printed lines answer, by a shell and curl, or by the same requests without them.
async fn answers(lines: &[String], url: &str) -> Vec<Value> {
    let curl = Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success());
    if !curl {
        println!("curl is not installed: the same requests are sent without it");
    }
    let mut answers = Vec::new();
    for line in lines {
        println!("{line}");
        answers.push(if curl {
            serde_json::from_str(&by_shell(line)).unwrap_or_else(|error| panic!("{line}: {error}"))
        } else {
            by_hand(line, url).await
        });
    }
    answers
}

fn by_shell(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn by_hand(line: &str, url: &str) -> Value {
    let (_, rest) = line.split_once(url).expect("the line has the URL");
    let path = rest.split([' ', '\'']).next().unwrap();
    let body = line.split_once("-d '").map(|(_, body)| body.trim_end_matches('\''));
    let (method, body) = body.map_or(("GET", ""), |body| ("POST", body));
    let address = url.trim_start_matches("http://");
    let headers = [("content-type", "application/json")];
    let reply = stack::request(address, method, path, &headers, body.as_bytes()).await.unwrap();
    assert_eq!(reply.status, 200, "{line}: {reply:?}");
    reply.json
}

/// The children of a process.
fn descendants(parent: u32) -> Vec<u32> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let rows = table.lines().filter_map(|row| {
        let mut numbers = row.split_whitespace().map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    rows.filter(|(_, of)| *of == parent).map(|(id, _)| id).collect()
}

fn is_running(id: u32) -> bool {
    Command::new("kill").args(["-0", &id.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}
