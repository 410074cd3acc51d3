//! QEMU's machine `nitro-enclave`, with vsock over Unix sockets.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{demo::kms::start_apart, stack::Process};

/// Any number from 3 on: each machine has a vsock of its own.
const CID: u32 = 4;
/// Nitro's parent is CID 3, the other end of QEMU's vsock is CID 2. QEMU appends this to the image's own command line,
/// which it measures as the image has it.
const APPEND: &str = "nitro_signer.parent_cid=2";
/// The port where the parent waits for a sign of life.
const HEARTBEAT_PORT: u32 = 9000;
/// What an enclave sends there, and gets back.
const HEARTBEAT: u8 = 0xb7;
/// For a byte that is due.
const BYTE_LIMIT: Duration = Duration::from_secs(10);

/// A kernel that has not started init and says nothing for so long will not go on: without virtualisation, on a busy
/// machine, it may measure its timers in vain, and then it waits for them for ever.
const STALLED: Duration = Duration::from_secs(20);
/// How often a machine is switched on again for that.
const ATTEMPTS: usize = 5;

/// Where `scripts/qemu-tools` put QEMU, its firmware and its vsock.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// In a folder that `scripts/qemu-tools` printed.
    pub fn new(folder: &Path) -> Result<Self, String> {
        let tools = Self { folder: folder.to_owned() };
        let missing = [tools.qemu(), tools.vsock()].into_iter().find(|program| !program.is_file());
        missing.map_or(Ok(tools), |program| {
            Err(format!("{} is missing: run scripts/qemu-tools", program.display()))
        })
    }

    fn qemu(&self) -> PathBuf {
        self.folder.join("bin/qemu-system-x86_64")
    }

    fn vsock(&self) -> PathBuf {
        self.folder.join("bin/vhost-device-vsock")
    }
}

/// A running machine, switched off when it is dropped.
#[derive(Debug)]
pub(in crate::demo) struct Machine {
    running: Arc<Mutex<Option<Running>>>,
    tasks: [JoinHandle<()>; 2],
}

/// A machine's processes.
#[derive(Debug)]
struct Running {
    qemu: Process,
    _vsock: Process,
}

impl Machine {
    /// Switches a machine on. Its console is appended to `console.log` in the folder.
    pub(in crate::demo) fn start(tools: &Tools, eif: &Path, folder: &Path) -> Self {
        let heartbeat = listen_for_life(folder).expect("a socket in a folder of our own");
        let console = folder.join("console.log");
        let before = length(&console);
        let running = Arc::new(Mutex::new(Some(Running::start(tools, eif, folder))));
        let (shared, tools, eif, folder) =
            (running.clone(), tools.clone(), eif.to_owned(), folder.to_owned());
        let watch = tokio::spawn(async move {
            for _ in 1..ATTEMPTS {
                if starts_init(&console, before).await {
                    return;
                }
                let mut running = lock(&shared);
                // First off, then on: both would have the same sockets.
                drop(running.take());
                *running = Some(Running::start(&tools, &eif, &folder));
            }
        });
        Self { running, tasks: [heartbeat, watch] }
    }

    /// The socket where the host dials; it listens beside it.
    pub(in crate::demo) fn socket(folder: &Path) -> PathBuf {
        folder.join("v.sock")
    }

    /// Waits for it to switch itself off.
    pub(in crate::demo) async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        const OFTEN: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            let ended = lock(&self.running).as_mut().and_then(|running| running.qemu.ended());
            if ended.is_some() {
                return ended;
            }
            sleep(OFTEN).await;
        }
        None
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        drop(lock(&self.running).take());
    }
}

impl Running {
    fn start(tools: &Tools, eif: &Path, folder: &Path) -> Self {
        let (vhost, vsock_socket) = (folder.join("vhost"), Machine::socket(folder));
        for left_over in [&vhost, &vsock_socket] {
            drop(fs::remove_file(left_over));
        }
        let mut command = Command::new(tools.vsock());
        command.arg("--vm").arg(format!(
            "guest-cid={CID},socket={},uds-path={}",
            vhost.display(),
            vsock_socket.display()
        ));
        let vsock = start_apart(command, &folder.join("vsock.log"));
        // QEMU gives up at once if nobody listens there.
        while !vhost.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut command = Command::new(tools.qemu());
        command.arg("-L").arg(tools.folder.join("share"));
        command.args(["-M", "nitro-enclave,acpi=on,vsock=c,id=nitro-signer", "-m", "1G"]);
        // Where there is a /dev/kvm inside a virtual machine, it cannot be relied on.
        command.args(["-accel", "tcg", "-cpu", "max", "-nographic", "-no-reboot", "-append", APPEND]);
        command.arg("-chardev").arg(format!("socket,id=c,path={}", vhost.display()));
        command.arg("-kernel").arg(eif);
        Self { qemu: start_apart(command, &folder.join("console.log")), _vsock: vsock }
    }
}

/// Whether the kernel starts init before it stalls. The console's text of this boot begins at `before`.
async fn starts_init(console: &Path, before: usize) -> bool {
    const OFTEN: Duration = Duration::from_millis(200);
    let (mut known, mut since) = (length(console), Instant::now());
    while since.elapsed() < STALLED {
        sleep(OFTEN).await;
        let text = fs::read(console).unwrap_or_default();
        if text.get(before..).is_some_and(|text| text.windows(6).any(|window| window == b"init: ")) {
            return true;
        }
        if text.len() != known {
            (known, since) = (text.len(), Instant::now());
        }
    }
    false
}

fn length(console: &Path) -> usize {
    fs::metadata(console).map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX))
}

fn lock(running: &Mutex<Option<Running>>) -> MutexGuard<'_, Option<Running>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what `nitro-cli run-enclave` does after the start: waits for the heartbeat, and answers.
fn listen_for_life(folder: &Path) -> io::Result<JoinHandle<()>> {
    let mut path = Machine::socket(folder).into_os_string();
    path.push(format!("_{HEARTBEAT_PORT}"));
    drop(fs::remove_file(&path));
    let listener = UnixListener::bind(path)?;
    Ok(tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Ok(Ok(HEARTBEAT)) = timeout(BYTE_LIMIT, stream.read_u8()).await {
                drop(timeout(BYTE_LIMIT, stream.write_u8(HEARTBEAT)).await);
            }
        }
    }))
}
