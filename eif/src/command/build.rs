//! `signer-eif build`: an image from its parts.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;
use signer_eif::{
    contents::{self, DEFAULT_CMDLINE},
    image::{Architecture, Image, NewImage},
    measure::Measurements,
    metadata::{BuildMetadata, Metadata, kernel_version},
    sign::ImageSigner,
};
use signer_rules::timestamp::Timestamp;
use signer_terminal::{
    Failure, Report, Terminal,
    files::{self, Access, OutputArgs},
};
use zeroize::Zeroizing;

use super::measure;

/// The largest kernel, program or module that is read, in bytes.
const MAX_PART: usize = 512 * 1024 * 1024;
/// The longest command line: what an x86 kernel takes (`COMMAND_LINE_SIZE`), without the zero byte.
const MAX_CMDLINE: usize = 2047;
/// The largest key or certificate file that is read, in bytes.
const MAX_PEM: usize = 64 * 1024;

const EXAMPLES: &str = "\
Examples:
  signer-eif build --kernel bzImage --init signer-init --module nsm.ko --enclave signer-enclave \\
      --output nitro-signer.eif
  signer-eif build ... --cmdline @cmdline.txt --kms-roots emulator-roots.pem --output development.eif
  signer-eif build ... --signing-key key.pem --signing-certificate certificate.pem --output signed.eif

The first ramdisk holds /init and /modules/NN-NAME.ko, in the order in which they are given here; the second
/bin/signer-enclave and, with --kms-roots, /etc/nitro-signer/kms-roots.pem: a development image.

The time in the metadata is that of the environment variable SOURCE_DATE_EPOCH (seconds since 1970), or
1970: no clock is read, and the same inputs always give the same file.";

/// Build an image.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BuildArgs {
    /// The kernel: a bzImage, or for aarch64 an Image.
    #[arg(long, value_name = "FILE")]
    kernel: PathBuf,
    /// The kernel's command line, or @FILE with one line.
    #[arg(long, value_name = "TEXT|@FILE", default_value = DEFAULT_CMDLINE)]
    cmdline: String,
    /// PID 1: a static program.
    #[arg(long, value_name = "FILE")]
    init: PathBuf,
    /// A kernel module (.ko, not compressed) for init to load. Repeatable; the order is that of loading.
    #[arg(long = "module", value_name = "FILE")]
    modules: Vec<PathBuf>,
    /// The enclave: a static program.
    #[arg(long, value_name = "FILE")]
    enclave: PathBuf,
    /// Roots that the enclave trusts for KMS in place of Amazon's (PEM). Makes a development image.
    #[arg(long, value_name = "FILE")]
    kms_roots: Option<PathBuf>,
    /// The image's name, for its metadata.
    #[arg(long, default_value = "nitro-signer")]
    name: String,
    /// The image's version, for its metadata.
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    version: String,
    /// The processors that the image is for.
    #[arg(long, value_enum, default_value_t = Machine::X86_64)]
    architecture: Machine,
    /// Sign the image with this P-384 key (PEM), which gives it a PCR8.
    #[arg(long, value_name = "FILE.pem", requires = "signing_certificate")]
    signing_key: Option<PathBuf>,
    /// The signing key's certificate (PEM).
    #[arg(long, value_name = "FILE.pem", requires = "signing_key")]
    signing_certificate: Option<PathBuf>,
    #[arg(skip = std::env::var("SOURCE_DATE_EPOCH").ok())]
    source_date_epoch: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Machine {
    #[value(name = "x86_64")]
    X86_64,
    Aarch64,
}

pub(crate) fn run(args: &BuildArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let bytes = image(args)?;
    // What was written is read back by the reader that auditors use.
    let image = Image::parse(&bytes).map_err(Failure::new)?;
    args.output.write(&bytes, Access::Public)?;
    let mut report = measure::report(&bytes, &image, terminal);
    let file = args.output.output.display().to_string();
    report.human = format!("wrote {file}\n\n{}", report.human);
    if let Value::Object(members) = &mut report.json {
        members.insert("File".to_owned(), file.into());
    }
    Ok(report)
}

fn image(args: &BuildArgs) -> Result<Vec<u8>, Failure> {
    let kernel = read(&args.kernel)?;
    let cmdline = cmdline(&args.cmdline)?;
    let metadata = metadata(args, &kernel)?.to_json().map_err(Failure::new)?;
    let boot = contents::boot_ramdisk(read(&args.init)?, modules(&args.modules)?).map_err(Failure::new)?;
    let roots = args.kms_roots.as_deref().map(read_roots).transpose()?;
    let application = contents::application_ramdisk(read(&args.enclave)?, roots).map_err(Failure::new)?;
    let boot = boot.to_gzip().map_err(Failure::new)?;
    let application = application.to_gzip().map_err(Failure::new)?;

    let ramdisks = [boot.as_slice(), application.as_slice()];
    let mut new = NewImage {
        architecture: args.architecture.into(),
        kernel: &kernel,
        cmdline: cmdline.as_bytes(),
        metadata: &metadata,
        ramdisks: &ramdisks,
        signature: None,
    };
    let unsigned = new.to_bytes().map_err(Failure::new)?;
    let Some(signer) = signer(args)? else { return Ok(unsigned) };
    let measured = Measurements::of(&Image::parse(&unsigned).map_err(Failure::new)?);
    let signature = signer.section(&measured.pcr0).map_err(Failure::new)?;
    new.signature = Some(&signature);
    new.to_bytes().map_err(Failure::new)
}

fn cmdline(text: &str) -> Result<String, Failure> {
    let line = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(path) => {
            let mut content = Vec::new();
            files::read_into(Path::new(path), MAX_CMDLINE.saturating_add(1), &mut content)?;
            let text = String::from_utf8(content)
                .map_err(|_| Failure::new(format!("{path}: the command line is not text")))?;
            text.strip_suffix('\n').unwrap_or(&text).to_owned()
        }
    };
    if line.len() > MAX_CMDLINE {
        return Err(Failure::usage(format!("the command line has more than {MAX_CMDLINE} bytes")));
    }
    if line.chars().any(char::is_control) {
        return Err(Failure::usage("the command line has line feeds or other control characters")
            .hint("write the kernel's parameters on one line, separated by spaces"));
    }
    Ok(line)
}

fn metadata(args: &BuildArgs, kernel: &[u8]) -> Result<Metadata, Failure> {
    let seconds = match args.source_date_epoch.as_deref() {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            Failure::usage(format!("SOURCE_DATE_EPOCH is {text:?}, not a number of seconds since 1970"))
        })?,
    };
    Ok(Metadata {
        image_name: args.name.clone(),
        image_version: args.version.clone(),
        build_metadata: BuildMetadata {
            build_time: Timestamp::from_seconds(seconds).to_string(),
            build_tool: env!("CARGO_PKG_NAME").to_owned(),
            build_tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            operating_system: "Linux".to_owned(),
            kernel_version: kernel_version(kernel).unwrap_or_else(|| "unknown".to_owned()),
        },
        docker_info: Value::Null,
        custom_metadata: Value::Null,
    })
}

fn modules(paths: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let module = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let name =
            name.ok_or_else(|| Failure::usage(format!("--module {} names no file", path.display())))?;
        Ok((name.to_owned(), read(path)?))
    };
    paths.iter().map(module).collect()
}

/// The roots, checked to be what the enclave reads: a mistake shows here and not at boot.
fn read_roots(path: &Path) -> Result<Vec<u8>, Failure> {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};

    let mut content = Vec::new();
    files::read_into(path, files::MAX_FILE, &mut content)?;
    let mut certificates = CertificateDer::pem_slice_iter(&content);
    if certificates.next().is_some_and(|first| first.is_ok()) && certificates.all(|next| next.is_ok()) {
        return Ok(content);
    }
    Err(Failure::new(format!("{} is no PEM file with certificates", path.display())))
}

fn signer(args: &BuildArgs) -> Result<Option<ImageSigner>, Failure> {
    let (Some(key), Some(certificate)) = (&args.signing_key, &args.signing_certificate) else {
        return Ok(None);
    };
    if files::others_can_read(key) {
        return Err(Failure::new(format!("{} can be read by others", key.display()))
            .hint(format!("chmod 600 {}, and ask who had access", key.display())));
    }
    // With room for all of it, so that no copy is left behind when the buffer grows.
    let mut key_pem = Zeroizing::new(Vec::with_capacity(MAX_PEM.saturating_add(1)));
    files::read_into(key, MAX_PEM, &mut key_pem)?;
    let mut certificate_pem = Vec::new();
    files::read_into(certificate, MAX_PEM, &mut certificate_pem)?;
    ImageSigner::from_pem(&key_pem, &certificate_pem).map(Some).map_err(Failure::new)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    files::read_into(path, MAX_PART, &mut content)?;
    Ok(content)
}

impl From<Machine> for Architecture {
    fn from(machine: Machine) -> Self {
        match machine {
            Machine::X86_64 => Self::X86_64,
            Machine::Aarch64 => Self::Aarch64,
        }
    }
}
