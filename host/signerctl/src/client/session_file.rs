//! A session in a file: whoever has the file is the client until the session expires.

use std::path::Path;

use serde::{Deserialize, Serialize};
use signer_eif::options::now_ms;
use signer_rules::{authority::AuthorityId, hex_bytes::HexBytes, name::Name, timestamp::Timestamp};
use signer_terminal::{
    Failure,
    files::{Access, OutputArgs},
    keys::read_secret_file,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::signer::Signer;

/// The value of `format`.
const FORMAT: &str = "nitro-signer/session-file/v1";

/// An open session. No `Debug`, no `Clone`; its key is wiped when dropped.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionFile {
    format: String,
    /// Whose appliance.
    pub(crate) authority: AuthorityId,
    /// Whose session.
    pub(crate) client: Name,
    /// The ticket's id.
    pub(crate) id: HexBytes<16>,
    /// What the enclave sealed, in base64url.
    pub(crate) ticket: String,
    /// What signs requests.
    mac_key: HexBytes<32>,
    /// Of no use from then on.
    pub(crate) expires: Timestamp,
}

impl Drop for SessionFile {
    fn drop(&mut self) {
        self.mac_key.0.zeroize();
    }
}

impl SessionFile {
    /// A session that was just opened.
    pub(crate) fn new(
        authority: AuthorityId,
        client: Name,
        id: HexBytes<16>,
        ticket: String,
        mac_key: &[u8; 32],
        expires: Timestamp,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            authority,
            client,
            id,
            ticket,
            mac_key: HexBytes(*mac_key),
            expires,
        }
    }

    /// Reads a session that has not expired from a file that nobody else can read.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |text: &str| Failure::new(format!("{}: {text}", path.display()));
        let session: Self = serde_json::from_slice(&read_secret_file(path)?)
            .map_err(|_| failed("not a session").hint("name what signerctl session open wrote"))?;
        if session.format != FORMAT {
            return Err(failed("a session of another version").hint("open one: signerctl session open"));
        }
        if Timestamp::from_millis(now_ms()) >= session.expires {
            return Err(failed(&format!("the session has expired at {}", session.expires))
                .hint("open another one: signerctl session open"));
        }
        Ok(session)
    }

    /// Writes it to a file that only its owner can read.
    pub(crate) fn write(&self, output: &OutputArgs) -> Result<(), Failure> {
        let json = Zeroizing::new(serde_json::to_vec_pretty(self).map_err(Failure::new)?);
        output.write(&json, Access::Owner)
    }

    /// What signs requests in it.
    pub(super) fn signer(&self) -> Signer {
        Signer::in_session(self.id, &self.mac_key.0, self.ticket.clone(), self.authority)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::tests::test_directory;

    #[test]
    fn a_session_survives_its_file_until_it_expires() {
        let path = test_directory().join("session.json");
        let session = |expires_ms| {
            SessionFile::new(
                HexBytes([1; 32]),
                "backend".parse().unwrap(),
                HexBytes([2; 16]),
                "ticket".to_owned(),
                &[3; 32],
                Timestamp::from_millis(expires_ms),
            )
        };
        let output = OutputArgs { output: path.clone(), force: true };
        session(now_ms() + 60_000).write(&output).unwrap();
        let read = SessionFile::read(&path).ok().unwrap();
        assert_eq!(
            (read.mac_key, read.id, read.ticket.as_str()),
            (HexBytes([3; 32]), HexBytes([2; 16]), "ticket")
        );
        session(now_ms() - 1).write(&output).unwrap();
        assert!(SessionFile::read(&path).err().unwrap().to_string().contains("expired"));
        fs::write(&path, "{}").unwrap();
        assert!(SessionFile::read(&path).is_err());
    }
}
