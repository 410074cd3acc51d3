//! Asking as a client: requests carry its signature, answers are checked against the enclave's.

mod answers;
mod attested;
pub(crate) mod session_file;
mod signer;

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use clap::Args;
use serde_json::{Value, json};
use signer_rules::{audit::Receipt, authority::AuthorityId, http_signature::response::RECEIPT};
use signer_terminal::{
    Failure, Report, Terminal,
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
    pub(crate) fn connect(&self, terminal: &Terminal) -> Result<Appliance, Failure> {
        self.connect_with(Headers::new(), terminal)
    }

    /// The same, with further headers in every request.
    pub(crate) fn connect_with(&self, further: Headers, terminal: &Terminal) -> Result<Appliance, Failure> {
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
        let came = Rc::default();
        let companion = Companion { signer, further, checker, came: Rc::clone(&came) };
        Ok(Appliance { server: self.server.connect()?.escorted(Box::new(companion)), came })
    }
}

/// The appliance, asked as a client.
pub(crate) struct Appliance {
    server: Server,
    came: Rc<RefCell<Came>>,
}

/// What came with the last answer.
#[derive(Default)]
struct Came {
    receipt: Option<Receipt>,
    /// Whether an enclave that proved what it is signed the answer.
    checked: bool,
}

impl Appliance {
    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.server.get(path)
    }

    /// `POST path` with a JSON body.
    pub(crate) fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Result<Value, Failure> {
        self.server.post(path, body.into())
    }

    /// Adds to the report's JSON what came with the last answer.
    pub(crate) fn annotate(&self, mut report: Report) -> Report {
        let came = self.came.borrow();
        if let Some(members) = report.json.as_object_mut() {
            members.insert("receipt".to_owned(), json!(came.receipt.map(|receipt| receipt.to_string())));
            members.insert("answer_checked".to_owned(), json!(came.checked));
        }
        report
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
    Ok(server.connect()?.escorted(Box::new(Companion {
        signer,
        further: Headers::new(),
        checker,
        came: Rc::default(),
    })))
}

/// Goes with every request and comes back with every answer.
struct Companion {
    signer: Option<Signer>,
    further: Headers,
    checker: Option<Checker>,
    came: Rc<RefCell<Came>>,
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
        let judge = self.checker.as_ref();
        let checked = judge.map_or(Ok(false), |judge| judge.check(asked, sent, answered))?;
        let receipt = answered.header(RECEIPT).and_then(|receipt| receipt.parse().ok());
        *self.came.borrow_mut() = Came { receipt, checked };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_report_has_what_came_with_the_answer() {
        let came: Rc<RefCell<Came>> = Rc::default();
        let server = Server::new("http://127.0.0.1:1", Duration::from_millis(100), "test/0").unwrap();
        let appliance = Appliance { server, came: Rc::clone(&came) };
        let companion = Companion { signer: None, further: Headers::new(), checker: None, came };
        let report = |receipt: &str| {
            let asked = Asked { method: "GET", path: "/v1/wallets", query: None, body: b"" };
            let answered = Answered::new(200, &[(RECEIPT, receipt.to_owned())], "{}");
            companion.inspect(&asked, &Headers::new(), &answered).unwrap();
            appliance.annotate(Report::new("", json!({}))).json
        };
        let receipt = format!("{}:7:{}", "ab".repeat(16), "03".repeat(32));
        assert_eq!(report(&receipt), json!({ "receipt": receipt, "answer_checked": false }));
        assert_eq!(report("7"), json!({ "receipt": null, "answer_checked": false }));
    }
}
