//! `signerctl explain`: what something would have a wallet sign.

mod input;
mod listing;
mod signed;
#[cfg(test)]
mod tests;
mod units;
mod warnings;

use std::path::PathBuf;

use clap::{Args, builder::PossibleValuesParser};
use serde_json::json;
use signer_rules::chain::{self, Facts, Rejection};
use signer_terminal::{Failure, Report, Style, Terminal, clean, fields, files};

pub(crate) use input::Given;

/// Show what something would have a wallet sign, before anybody signs it. Needs no appliance.
#[derive(Args)]
#[command(after_help = "FILE holds one of:\n  \
    {\"type\": \"evm.transaction\", \"transaction\": {...}}  the body of a sign request, of any type\n  \
    0x02f8...                                         an EVM transaction, unsigned or signed\n  \
    AQAAAA...                                         a Solana transaction in base64\n\n\
    With --type, hex or base64 can also be a message or a digest.\n\n\
    Examples:\n  \
    signerctl explain request.json\n  \
    echo 0x02ed... | signerctl explain -\n  \
    signerctl explain --json request.json | jq .max_cost\n\n\
    The same code reads requests in the enclave: what is rejected here is rejected there, but for the\n\
    checks that need to know the wallet (\"from\", a place among the signers). Whether the policy allows\n\
    it is another question.\n\n\
    Exit status: 0 it can be signed; 1 it would be rejected; 2 wrong usage.")]
pub(crate) struct ExplainArgs {
    /// What to explain; - reads standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// What it is, if its form does not tell, or other than it says.
    #[arg(long = "type", value_name = "TYPE", value_parser = PossibleValuesParser::new(chain::kinds()))]
    kind: Option<String>,
}

pub(crate) fn run(args: &ExplainArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let content = files::read_or_stdin(&args.file)?;
    explain(&content, args.kind.as_deref(), terminal.style())
}

fn explain(content: &[u8], kind: Option<&str>, style: Style) -> Result<Report, Failure> {
    let text = std::str::from_utf8(content)
        .map_err(|_| Failure::usage("this is not text").hint("give JSON, 0x-hex or base64"))?;
    let given = Given::read(text.trim(), kind)?;
    let facts = chain::describe(&given.kind, &given.body()).map_err(|rejection| rejected(&rejection))?;

    let json = serde_json::to_value(&facts).map_err(Failure::new)?;
    Ok(Report::new(full(&given, &facts, style)?, json))
}

/// Everything that a person has to see of a request before it is signed or approved.
pub(crate) fn full(given: &Given, facts: &Facts, style: Style) -> Result<String, Failure> {
    let mut parts = vec![style.bold(&title(given))];
    let asked = given.asked();
    if !asked.is_empty() {
        parts.push(fields(&asked));
    }
    parts.push(listing::render(facts)?);
    let warnings: Vec<String> = warnings::of(facts)
        .iter()
        .map(|warning| format!("{} {warning}", style.caution("warning:")))
        .collect();
    if !warnings.is_empty() {
        parts.push(warnings.join("\n"));
    }
    Ok(parts.join("\n\n"))
}

/// What a request is, on one line.
pub(crate) fn title(given: &Given) -> String {
    let what = match given.kind.as_str() {
        "evm.transaction" => "EVM transaction",
        "evm.authorization" => "EIP-7702 authorization",
        "evm.message" => "EIP-191 message",
        "evm.typed_data" => "EIP-712 typed data",
        "solana.transaction" => "Solana transaction",
        "solana.offchain_message" => "Solana off-chain message",
        "raw.digest" => "digest of something that is not shown",
        "raw.message" => "bytes of unknown meaning",
        _ => "something to sign",
    };
    let signed = if given.signed { ", signed already: this is without the signature" } else { "" };
    format!("{what} ({}){signed}", given.kind)
}

/// Why an enclave would not sign it, whatever the policy says.
pub(crate) fn rejected(rejection: &Rejection) -> Failure {
    let problem = json!({
        "code": "transaction_rejected", "field": rejection.field, "detail": rejection.message,
    });
    Failure::new(format!("this would be rejected: {}", clean(&rejection.to_string()))).with_problem(problem)
}
