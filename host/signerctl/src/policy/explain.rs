//! `signerctl policy explain`: one rule at length.

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;
use serde_json::json;
use signer_rules::{
    bundle::{Bundle, Client, Effect, Rule, WalletId, WalletSelector},
    name::Name,
};
use signer_terminal::{Failure, Report, Style, fields, keys};

use super::{BundleFile, client_text, english};
use crate::status;

/// State one rule of a bundle at length.
#[derive(Args)]
#[command(after_help = "Example:\n  signerctl policy explain policy.json pay")]
pub(crate) struct ExplainArgs {
    /// The bundle, signed or not.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The rule's id.
    pub(super) rule: Name,
}

pub(super) fn run(args: &ExplainArgs, style: Style) -> Result<Report, Failure> {
    let bundle = BundleFile::read(&args.file)?.bundle;
    let Some(place) = bundle.rules.iter().position(|rule| rule.id == args.rule) else {
        return Err(Failure::new(format!("{} has no rule {}", args.file.display(), args.rule))
            .hint(format!("list the rules: signerctl policy check {}", args.file.display())));
    };
    let rule = &bundle.rules[place];
    let json = json!(rule);
    let mut rows = vec![("place", format!("{} of {}", place + 1, bundle.rules.len()))];
    rows.extend(about(&bundle, rule));
    let mut parts = vec![style.bold(&english::line(rule)), fields(&rows)];
    for (member, title) in [("when", "When"), ("limits", "Limits"), ("nonce", "Nonces")] {
        if let Some(value) = json.get(member).filter(|value| !value.is_null()) {
            let lines = status::pretty(value).replace('\n', "\n  ");
            parts.push(format!("{}\n  {lines}", style.bold(title)));
        }
    }
    parts.extend(approvals(&bundle, rule, style));
    parts.push(reading(rule).to_owned());
    let mut remarks = english::remarks(&bundle);
    remarks.retain(|remark| remark.rule.as_ref() == Some(&args.rule));
    if !remarks.is_empty() {
        parts.push(
            remarks.iter().map(|remark| english::remark_line(remark, style)).collect::<Vec<_>>().join("\n"),
        );
    }
    let json = json!({ "rule": rule, "place": place, "text": english::line(rule), "remarks": remarks });
    Ok(Report::new(parts.join("\n\n"), json))
}

/// Whom and what it is about, with names resolved.
fn about(bundle: &Bundle, rule: &Rule) -> Vec<(&'static str, String)> {
    let operations: Vec<&str> = rule.operations.iter().map(|operation| operation.as_str()).collect();
    let mut rows = vec![("operations", operations.join(", "))];
    let clients: Vec<&Client> = bundle.clients.iter().filter(|client| concerns(rule, client)).collect();
    if rule.clients.is_none() && rule.roles.is_none() {
        rows.push(("clients", "every client".to_owned()));
    } else if clients.is_empty() {
        rows.push(("clients", "none: no client has both the name and the role".to_owned()));
    }
    if rule.clients.is_some() || rule.roles.is_some() {
        rows.extend(clients.into_iter().map(|client| ("client", client_text(client))));
    }
    match &rule.wallets {
        None => rows.push(("wallets", "every wallet".to_owned())),
        Some(selectors) => {
            rows.push(("wallets", format!("{} in all", wallets(bundle, selectors).len())));
            rows.extend(selectors.iter().map(|selector| ("wallet", wallet_text(bundle, selector))));
        }
    }
    if let Some(origins) = &rule.origins {
        let origins: Vec<&str> = origins.iter().map(|origin| origin.as_str()).collect();
        rows.push(("origins", origins.join(", ")));
    }
    if let Some(chains) = &rule.chain_ids {
        let chains: Vec<String> = chains.iter().map(u64::to_string).collect();
        rows.push(("chain ids", chains.join(", ")));
    }
    rows
}

fn concerns(rule: &Rule, client: &Client) -> bool {
    rule.clients.as_ref().is_none_or(|named| named.contains(&client.id))
        && rule.roles.as_ref().is_none_or(|roles| roles.iter().any(|role| client.roles.contains(role)))
}

fn wallets(bundle: &Bundle, selectors: &[WalletSelector]) -> BTreeSet<WalletId> {
    selectors.iter().flat_map(|selector| members(bundle, selector)).collect()
}

fn members(bundle: &Bundle, selector: &WalletSelector) -> Vec<WalletId> {
    match selector {
        WalletSelector::Wallet(id) => vec![*id],
        WalletSelector::Group(name) => bundle
            .wallet_groups
            .iter()
            .find(|group| group.id == *name)
            .map(|group| group.wallets.clone())
            .unwrap_or_default(),
    }
}

fn wallet_text(bundle: &Bundle, selector: &WalletSelector) -> String {
    match selector {
        WalletSelector::Wallet(id) => id.to_string(),
        WalletSelector::Group(name) => format!("@{name}: {} wallets", members(bundle, selector).len()),
    }
}

fn approvals(bundle: &Bundle, rule: &Rule, style: Style) -> Option<String> {
    let approvals = rule.approvals.as_ref()?;
    let key = |name: &Name| {
        let approver = bundle.approvers.iter().find(|approver| approver.id == *name);
        let key = approver.map_or_else(|| "?".to_owned(), |approver| keys::public_hex(&approver.public_key));
        format!("  {name}  {key}")
    };
    let title = format!(
        "{}\n  {} of these, each for one request and for up to {} s:",
        style.bold("Approvals"),
        approvals.threshold,
        approvals.longest_s
    );
    Some(std::iter::once(title).chain(approvals.of.iter().map(key)).collect::<Vec<_>>().join("\n"))
}

/// How rules of this kind are read.
const fn reading(rule: &Rule) -> &'static str {
    match rule.effect {
        Effect::Allow => {
            "It allows only if everything above is certainly so, for every part of what is to be signed, and\n\
             no rule that denies applies. Of several rules that allow, the first whose limits and approvals hold\n\
             decides."
        }
        Effect::Deny => {
            "It denies if everything above is so for some part of what is to be signed, or cannot be ruled out;\n\
             then no other rule helps."
        }
    }
}
