//! Asking as a client: requests carry its signature, answers are checked against the enclave's.

mod answers;
mod attested;
pub(crate) mod session_file;
mod signer;

use std::path::PathBuf;

use clap::Args;
use signer_rules::authority::AuthorityId;
use signer_terminal::{
    Failure, Terminal,
    client_keys::ClientSecret,
    http::{Answered, Asked, Escort, Headers, Server},
};

pub(crate) use answers::Checker;
pub(crate) use attested::ProofArgs;

use crate::cli::ServerArgs;
use session_file::SessionFile;
use signer::Signer;

/// What every command that asks as a client says of itself.
pub(crate) const AFTER_HELP: &str = "\
Who asks: with --client-key and --key-id the request is signed with a key of the policy, with --session by\n\
an open session; with neither it is the request of the policy's client without keys, if it has one.\n\n\
Who answers: give --config (or --authority) and --measurements (or --manifest), and the enclave must prove\n\
what it is and sign its answer to this very request. Without them nobody has checked the answer.";

/// Who asks, and whose answers are believed.
#[derive(Args)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// The session to ask in: what session open wrote.
    #[arg(long, value_name = "FILE", conflicts_with = "client_key")]
    pub(crate) session: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) proof: ProofArgs,
}

/// The client's key.
#[derive(Args)]
pub(crate) struct KeyArgs {
    /// The client's private key, which signs the request.
    #[arg(long, value_name = "FILE.pem", requires = "key_id")]
    pub(crate) client_key: Option<PathBuf>,
    /// What the policy calls that key.
    #[arg(long, value_name = "ID", requires = "client_key")]
    pub(crate) key_id: Option<String>,
}

impl ClientArgs {
    /// The appliance, asked as this client.
    pub(crate) fn connect(&self, terminal: &Terminal) -> Result<Server, Failure> {
        self.connect_with(Headers::new(), terminal)
    }

    /// The same, with further headers in every request.
    pub(crate) fn connect_with(&self, further: Headers, terminal: &Terminal) -> Result<Server, Failure> {
        let proof = self.proof.read()?;
        let signer = match &self.session {
            Some(path) => {
                let session = SessionFile::read(path)?;
                if proof.authority().is_some_and(|authority| authority != session.authority) {
                    return Err(Failure::new(format!(
                        "{} is a session with authority {}, and not with that of --config or --authority",
                        path.display(),
                        session.authority
                    )));
                }
                Some(session.signer())
            }
            None => self.key.signer(proof.authority())?,
        };
        let checker = proof.checker(&self.server, terminal)?;
        Ok(self.server.connect()?.escorted(Box::new(Companion { signer, further, checker })))
    }
}

impl KeyArgs {
    /// What signs with the key, if one was given.
    pub(crate) fn signer(&self, authority: Option<AuthorityId>) -> Result<Option<Signer>, Failure> {
        let (Some(path), Some(key_id)) = (&self.client_key, &self.key_id) else { return Ok(None) };
        let authority = authority.ok_or_else(|| {
            Failure::usage("a signed request names the authority it is for")
                .hint("give --config FILE or --authority HEX")
        })?;
        Ok(Some(Signer::with_key(ClientSecret::read(path)?, key_id.clone(), authority)))
    }
}

/// The appliance, asked with this signer, and checked with what `proof` says.
pub(crate) fn connect(
    server: &ServerArgs,
    signer: Option<Signer>,
    checker: Option<Checker>,
) -> Result<Server, Failure> {
    Ok(server.connect()?.escorted(Box::new(Companion { signer, further: Headers::new(), checker })))
}

/// Goes with every request and comes back with every answer.
struct Companion {
    signer: Option<Signer>,
    further: Headers,
    checker: Option<Checker>,
}

impl Escort for Companion {
    fn accompany(&self, asked: &Asked<'_>) -> Result<Headers, Failure> {
        let mut headers = self.further.clone();
        match &self.signer {
            Some(signer) => headers.extend(signer.headers(asked)?),
            // Of no use to the enclave, but it ties the answer to the body.
            None if self.checker.is_some() => headers.push(signer::content_digest(asked)),
            None => {}
        }
        Ok(headers)
    }

    fn inspect(&self, asked: &Asked<'_>, sent: &Headers, answered: &Answered) -> Result<(), Failure> {
        self.checker.as_ref().map_or(Ok(()), |checker| checker.check(asked, sent, answered))
    }
}
