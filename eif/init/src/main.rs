//! The init of our own images; see the library.

use std::{
    error::Error,
    fs, io,
    process::{Command, ExitCode},
    thread::sleep,
    time::Duration,
};

use nix::sys::{
    reboot::{RebootMode, reboot},
    resource::{Resource, setrlimit},
};
use signer_init::{console::Console, death::Death, heartbeat, modules, mounts, report, supervise};
use signer_shared::address::{Address, parent_cid, port};

/// What this is the init of.
const ENCLAVE: &str = "/bin/signer-enclave";
/// Where the image keeps its kernel modules.
const MODULES: &str = "/modules";
/// For the console's last bytes to leave the machine.
const LAST_BYTES: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    if std::process::id() != 1 {
        Console::standard().say("this is PID 1 of an enclave's image, and nothing else");
        return ExitCode::from(2);
    }
    // Before /dev is mounted the kernel's own /dev/console is there.
    let mut console = Console::open();
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let mut console = Console::open();
        console.say(&format!("panic at {place}"));
        end(&mut console);
    }));
    if let Err(error) = run(&mut console) {
        console.say(&format!("failed: {error}"));
    }
    end(&mut console);
    // Only if the kernel does not reboot when it is told to: then its panic does, see `panic=`.
    ExitCode::FAILURE
}

/// All duties in order, until the enclave has ended and the host was told why.
fn run(console: &mut Console) -> Result<(), Box<dyn Error>> {
    mounts::mount_all()?;
    *console = Console::open();
    console.say("file systems mounted");
    // A core file would hold keys.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let loaded = modules::load_all(MODULES.as_ref())?;
    console.say(&format!("modules loaded ({loaded})"));
    if let Err(error) = quiet_kernel() {
        console.say(&format!("the kernel's messages stay on the console: {error}"));
    }
    let parent = parent_cid(&fs::read_to_string("/proc/cmdline")?)?;
    let at = |port| Address::Vsock { cid: parent, port };
    match heartbeat::beat(&at(port::HEARTBEAT)) {
        Ok(()) => console.say("heartbeat answered"),
        Err(error) => console.say(&format!("no heartbeat, going on: {error}")),
    }
    let death = watch_over_enclave(console);
    // Said before it is sent: the console may be all that works.
    console.say(&format!("enclave ended: {death}"));
    if let Err(error) = report::send(&at(port::EVENTS), &death.last_words(), console.uptime()) {
        console.say(&format!("the host was not told: {error}"));
    }
    Ok(())
}

fn watch_over_enclave(console: &mut Console) -> Death {
    let mut command = Command::new(ENCLAVE);
    command.env_clear().current_dir("/");
    match supervise::start(command) {
        Ok(child) => {
            console.say(&format!("enclave started pid {}", child.pid()));
            child.watch_over(console)
        }
        Err(error) => Death::not_started(&error),
    }
}

/// Emergencies and alerts only: a flooded console has hung enclaves.
fn quiet_kernel() -> io::Result<()> {
    fs::write("/proc/sys/kernel/printk", "2")
}

/// Reboots. Returns only if that fails.
fn end(console: &mut Console) {
    console.say("rebooting");
    nix::unistd::sync();
    sleep(LAST_BYTES);
    let Err(error) = reboot(RebootMode::RB_AUTOBOOT);
    console.say(&format!("cannot reboot: {error}"));
}
