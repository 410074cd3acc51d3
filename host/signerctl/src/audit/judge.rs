//! One boot: its attestation, its log, and what CloudTrail has of it.

use serde::Deserialize;
use serde_json::{Value, json};
use signer_eif::{
    examine::{
        Answer, Development, Examination, Expected, Image, MAX_AGE_MS, Outcome, Verdict as CheckVerdict,
    },
    verify::Root,
};
use signer_rules::{
    audit::{AuditError, Chain, Receipt, Record, Verifier, Witness},
    configuration::SignedConfiguration,
    statement::Statement,
    timestamp::Timestamp,
};
use signer_terminal::{Failure, Style, clean};

use super::{BootId, Measurements, Store, Trail};

/// Everything that boots are held against.
pub(super) struct Judge<'a> {
    pub(super) configurations: Vec<SignedConfiguration>,
    pub(super) images: Vec<Measurements>,
    pub(super) root: Root,
    pub(super) trail: Option<&'a Trail>,
    pub(super) receipts: &'a [Receipt],
}

/// What came of a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    Wrong,
    NotChecked,
}

/// A boot, with everything that is wrong with it.
pub(super) struct BootReport {
    pub(super) boot_id: BootId,
    pub(super) verdict: Verdict,
    pub(super) problems: Vec<String>,
    /// Something that the reader should know.
    note: Option<String>,
    records: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Sequence number of the last record that CloudTrail has.
    witnessed: Option<u64>,
    /// The requests with which KMS opened keyrings for it.
    pub(super) openings: Vec<KmsRequest>,
}

/// What was read of a log up to its end, or up to what is wrong.
#[derive(Default)]
struct Reading {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    records: u64,
    /// Records that only an enclave makes that is ready.
    of_ready: u64,
    openings: Vec<KmsRequest>,
    /// When the last record was made that a witness names.
    witnessed: Option<Timestamp>,
}

/// What a record says of the opening of a keyring, as far as CloudTrail has it too.
#[derive(Deserialize)]
struct KeyringOpened {
    requests: Vec<KmsRequest>,
}

/// A request that KMS granted.
#[derive(Deserialize)]
pub(super) struct KmsRequest {
    key_arn: String,
    pub(super) request_id: Option<String>,
}

impl Judge<'_> {
    /// Judges a boot of which the store has something.
    pub(super) fn boot(&self, store: &Store, boot_id: BootId) -> Result<BootReport, Failure> {
        let mut report = BootReport::new(boot_id, self.witnesses(boot_id));
        for name in store.foreign(boot_id) {
            report.problems.push(format!("{} among its segments is none", clean(name)));
        }
        let Some(attestation) = store.attestation(boot_id)? else {
            return self.unattested(store, report);
        };
        let statement = match self.statement(&attestation, boot_id) {
            Ok(statement) => statement,
            Err(problems) => {
                report.problems.extend(problems);
                return Ok(report.judged());
            }
        };
        let verifier = Verifier::new(statement.identity_key, statement.authority, boot_id);
        let mut reading = Reading::default();
        match read(verifier, store, report.witnessed, boot_id, &mut reading)? {
            Ok(chain) => report.problems.extend(self.chain_problems(&chain, &statement)),
            Err(error) => report.problems.push(error.to_string()),
        }
        report.read(&reading);
        if let Some(trail) = self.trail {
            report.hold_against(trail, &reading);
        }
        // An attested key signed them. A log that nobody vouches for claims nothing.
        report.openings = reading.openings;
        Ok(report.judged())
    }

    /// Boots that CloudTrail or a receipt knows, and of which the store has nothing.
    pub(super) fn hidden(&self, store: &Store) -> Vec<BootReport> {
        let mut boots = self.trail.map(Trail::boots).unwrap_or_default();
        boots.extend(self.receipts.iter().map(|receipt| receipt.boot_id));
        let hidden = boots.into_iter().filter(|boot| !store.has(*boot));
        hidden
            .map(|boot_id| {
                let mut report = BootReport::new(boot_id, self.witnesses(boot_id));
                report.problems.push(match report.witnessed {
                    Some(sequence) => format!(
                        "it reached record {sequence}, and the store has nothing of it: it was hidden"
                    ),
                    None => "a receipt names it, and the store has nothing of it: it was hidden".to_owned(),
                });
                report.judged()
            })
            .collect()
    }

    fn witnesses(&self, boot_id: BootId) -> &[Witness] {
        self.trail.map_or(&[], |trail| trail.of(boot_id))
    }

    /// A boot that was never ready has no attestation, decided nothing, and left no witness.
    fn unattested(&self, store: &Store, mut report: BootReport) -> Result<BootReport, Failure> {
        let boot_id = report.boot_id;
        let mut reading = Reading::default();
        let claimed = store.segments(boot_id).next().transpose()?.and_then(|segment| claimed_boot(&segment));
        match claimed {
            Some(boot) if self.is_of_authority(&boot) => {
                let verifier = Verifier::new(boot.identity_key, boot.authority, boot_id);
                match read(verifier, store, None, boot_id, &mut reading)? {
                    Ok(chain) => report.problems.extend(unsealed(&chain)),
                    Err(error) => report.problems.push(error.to_string()),
                }
            }
            Some(_) => report.problems.push("its log is another appliance's".to_owned()),
            None => report.problems.push("its log does not begin with a boot record".to_owned()),
        }
        report.read(&reading);
        let receipts = self.receipts.iter().filter(|receipt| receipt.boot_id == boot_id);
        let given = receipts.map(|receipt| receipt.sequence).max();
        if let Some(sequence) = given {
            report.problems.push(format!(
                "a receipt names its record {sequence}: it was ready, and its attestation is missing from the store"
            ));
        } else if reading.of_ready > 0 || report.witnessed.is_some() {
            report.problems.push("it was ready, and its attestation is missing from the store".to_owned());
        } else if self.trail.is_none() {
            report.note =
                Some("no attestation: it seems never to have been ready; --cloudtrail would tell".to_owned());
            report.verdict = Verdict::NotChecked;
        } else {
            report.note = Some("no attestation, no decision, no witness: it was never ready".to_owned());
        }
        Ok(report.judged())
    }

    /// The statement of an attestation that holds, for the time when it was made.
    fn statement(&self, attestation: &[u8], boot_id: BootId) -> Result<Statement, Vec<String>> {
        let answer =
            Answer::from_bytes(attestation).map_err(|error| vec![format!("its attestation {error}")])?;
        if answer.boot_id != Some(boot_id) {
            return Err(vec!["its attestation is of another boot".to_owned()]);
        }
        let signed = Examination::of_signature(&answer, self.root);
        let Some(document) = &signed.document else { return Err(failing(&signed)) };
        let mut first = None;
        for configuration in &self.configurations {
            for image in &self.images {
                let expected = Expected {
                    now_ms: document.timestamp_ms,
                    max_age_ms: MAX_AGE_MS,
                    nonce: None,
                    image: Image::Measured(image),
                    authority: None,
                    configuration: Some(configuration),
                    configurations: &[],
                    policy: None,
                    keyrings: &[],
                    created: None,
                    development: Development::Emulated,
                };
                let examination = Examination::of(&answer, self.root, &expected);
                match (examination.outcome(), examination.statement.clone()) {
                    (Outcome::Match, Some(statement)) => return Ok(statement),
                    _ => first = first.or_else(|| Some(failing(&examination))),
                }
            }
        }
        Err(first.unwrap_or_else(|| vec!["its attestation could not be judged".to_owned()]))
    }

    fn is_of_authority(&self, boot: &signer_rules::audit::Boot) -> bool {
        self.configurations.iter().any(|configuration| configuration.authority == boot.authority)
    }

    fn chain_problems(&self, chain: &Chain, statement: &Statement) -> Vec<String> {
        let mut problems: Vec<String> = unsealed(chain).into_iter().collect();
        let attested = Witness {
            authority: statement.authority,
            boot_id: statement.boot_id,
            sequence: statement.audit_sequence,
            head: statement.audit_head,
        };
        if let Err(error) = chain.check_witness(&attested) {
            problems.push(format!("by its attestation, {error}"));
        }
        let mut witnesses =
            self.witnesses(statement.boot_id).iter().filter_map(|witness| chain.check_witness(witness).err());
        if let Some(error) = witnesses.next_back() {
            problems.push(format!("by CloudTrail, {error}"));
        }
        let receipts = self.receipts.iter().filter(|receipt| receipt.boot_id == statement.boot_id);
        for error in receipts.filter_map(|receipt| chain.check_receipt(receipt).err()) {
            problems.push(format!("by a receipt, {error}"));
        }
        problems
    }
}

fn unsealed(chain: &Chain) -> Option<String> {
    let unsealed = chain.unsealed;
    (unsealed > 0).then(|| format!("its last {unsealed} records have no checkpoint: nobody signed them"))
}

/// Goes through a log. The outer error is a file that cannot be read.
fn read(
    verifier: Result<Verifier, AuditError>,
    store: &Store,
    witnessed: Option<u64>,
    boot_id: BootId,
    reading: &mut Reading,
) -> Result<Result<Chain, AuditError>, Failure> {
    let mut verifier = match verifier {
        Ok(verifier) => verifier,
        Err(error) => return Ok(Err(error)),
    };
    for segment in store.segments(boot_id) {
        match verifier.segment(&segment?) {
            Ok(records) => reading.note(&records, witnessed),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(verifier.finish())
}

/// What a log says of its own beginning. Nobody vouches for it.
fn claimed_boot(segment: &[u8]) -> Option<signer_rules::audit::Boot> {
    let line = segment.split(|byte| *byte == b'\n').next()?;
    let record = Record::parse(std::str::from_utf8(line).ok()?).ok()?;
    serde_json::from_str(record.entry.get()).ok()
}

fn failing(examination: &Examination) -> Vec<String> {
    let failing = examination.checks.iter().filter(|check| check.verdict == CheckVerdict::Fail);
    let problems: Vec<String> = failing
        .map(|check| {
            format!("its attestation, {}: expected {}, found {}", check.name, check.expected, check.actual)
        })
        .collect();
    if problems.is_empty() {
        vec!["its attestation could not be judged completely".to_owned()]
    } else {
        problems
    }
}

impl Reading {
    fn note(&mut self, records: &[Record], witnessed: Option<u64>) {
        self.first = self.first.or_else(|| records.first().map(|record| record.time));
        self.last = records.last().map(|record| record.time).or(self.last);
        self.records = self.records.saturating_add(u64::try_from(records.len()).unwrap_or(u64::MAX));
        let of_ready =
            records.iter().filter(|record| ["decision", "session"].contains(&record.kind.as_str()));
        self.of_ready = self.of_ready.saturating_add(u64::try_from(of_ready.count()).unwrap_or(u64::MAX));
        let named = records.iter().find(|record| Some(record.sequence) == witnessed);
        self.witnessed = named.map(|record| record.time).or(self.witnessed);
        let opened = records.iter().filter(|record| record.kind == "keyring_opened");
        let opened =
            opened.filter_map(|record| serde_json::from_str::<KeyringOpened>(record.entry.get()).ok());
        self.openings.extend(opened.flat_map(|opened| opened.requests));
    }
}

impl BootReport {
    fn new(boot_id: BootId, witnesses: &[Witness]) -> Self {
        Self {
            boot_id,
            verdict: Verdict::Holds,
            problems: Vec::new(),
            note: None,
            records: 0,
            first: None,
            last: None,
            witnessed: witnesses.iter().map(|witness| witness.sequence).max(),
            openings: Vec::new(),
        }
    }

    fn read(&mut self, reading: &Reading) {
        (self.records, self.first, self.last) = (reading.records, reading.first, reading.last);
    }

    /// What the trail cannot show of an attested boot. An enclave that is ready leaves a witness, and KMS logs what it
    /// gives: where either is missing, the trail is of another time or key, or something was kept from KMS.
    fn hold_against(&mut self, trail: &Trail, reading: &Reading) {
        let missing = reading.openings.iter().find(|opening| {
            opening.request_id.as_deref().is_none_or(|request_id| !trail.has_opening(request_id))
        });
        if let Some(opening) = missing {
            self.note = Some(format!(
                "the trail has not the request that opened its keyring with {}: give the trail of every key, and of \
                 that time",
                clean(&opening.key_arn)
            ));
            self.verdict = Verdict::NotChecked;
        } else if self.witnessed.is_none() {
            self.note = Some(
                "the trail has no witness of it: its log may have been cut anywhere, or it died as it became ready"
                    .to_owned(),
            );
            self.verdict = Verdict::NotChecked;
        } else if reading.witnessed < self.last {
            self.note = reading
                .witnessed
                .map(|at| format!("the trail vouches for it up to {at}, not for what came later"));
        }
    }

    fn judged(mut self) -> Self {
        if !self.problems.is_empty() {
            self.verdict = Verdict::Wrong;
        }
        self
    }

    /// For people.
    pub(super) fn lines(&self, style: Style) -> String {
        let verdict = match self.verdict {
            Verdict::Holds => style.good("holds"),
            Verdict::Wrong => style.bad("WRONG"),
            Verdict::NotChecked => style.caution("not checked"),
        };
        let span = match (self.first, self.last) {
            (Some(first), Some(last)) => format!(", {first} to {last}"),
            _ => String::new(),
        };
        let witnessed =
            self.witnessed.map(|sequence| format!(", witnessed up to {sequence}")).unwrap_or_default();
        let mut lines =
            vec![format!("boot {}  {verdict}  {} records{span}{witnessed}", self.boot_id, self.records)];
        lines.extend(self.problems.iter().map(|problem| format!("  {problem}")));
        lines.extend(self.note.iter().map(|note| format!("  {note}")));
        lines.join("\n")
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let verdict = match self.verdict {
            Verdict::Holds => "holds",
            Verdict::Wrong => "wrong",
            Verdict::NotChecked => "not_checked",
        };
        json!({
            "boot_id": self.boot_id,
            "verdict": verdict,
            "records": self.records,
            "first": self.first,
            "last": self.last,
            "witnessed": self.witnessed,
            "problems": self.problems,
            "note": self.note,
        })
    }
}
