//! `signerctl wallet`: create and look at wallets.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use signer_rules::{
    bundle::WalletId,
    name::{Name, WalletName},
};
use signer_terminal::{Failure, Report, Style, Terminal, clean, fields, http};

use crate::client::{AFTER_HELP, Appliance, ClientArgs};

/// Wallets on one page of a listing.
const PAGE: usize = 100;
/// Pages that are followed, at most.
const MAX_PAGES: usize = 100_000;

/// Create and look at wallets.
#[derive(Subcommand)]
pub(crate) enum WalletCommand {
    /// Create an HD wallet.
    Create(Box<CreateArgs>),
    /// List all wallets. A host can leave some out: nothing proves a listing complete.
    List(Box<ListArgs>),
    /// Show a wallet and its accounts.
    Show(Box<ShowArgs>),
}

/// Create an HD wallet.
#[derive(Args)]
#[command(after_help = format!("Example:\n  signerctl wallet create treasury --url http://127.0.0.1:8080\n\n{AFTER_HELP}"))]
pub(crate) struct CreateArgs {
    /// Its name, for ever: 1 to 63 of a-z, 0-9 and '-'.
    name: Name,
    /// The keyring that it is derived from, if there are several.
    #[arg(long, value_name = "ID")]
    keyring: Option<Name>,
    #[command(flatten)]
    client: ClientArgs,
}

/// List all wallets.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
}

/// Show a wallet and its accounts.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ShowArgs {
    /// Its name, or its id (w_...).
    #[arg(value_name = "NAME|ID", value_parser = parse_wallet)]
    wallet: String,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is relied on of a wallet.
#[derive(Deserialize)]
struct Wallet {
    id: String,
    name: String,
    kind: String,
    keyring: Option<String>,
    created_at: String,
    #[serde(default)]
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    path: String,
    curve: String,
    public_key: String,
    #[serde(default)]
    addresses: Map<String, Value>,
}

#[derive(Deserialize)]
struct Page {
    wallets: Vec<Value>,
    next: Option<String>,
}

pub(crate) fn run(command: &WalletCommand, terminal: &Terminal) -> Result<Report, Failure> {
    let style = terminal.style();
    match command {
        WalletCommand::Create(args) => {
            let mut body = json!({ "name": args.name, "kind": "hd" });
            if let Some(keyring) = &args.keyring {
                body["keyring"] = json!(keyring);
            }
            let appliance = args.client.connect(terminal)?;
            let answer = appliance.post("/v1/wallets", body.to_string())?;
            Ok(appliance.annotate(one(answer, "POST /v1/wallets", style)?))
        }
        WalletCommand::List(args) => {
            let appliance = args.client.connect(terminal)?;
            Ok(appliance.annotate(list(&appliance, style)?))
        }
        WalletCommand::Show(args) => {
            let appliance = args.client.connect(terminal)?;
            let answer = appliance.get(&format!("/v1/wallets/{}", args.wallet))?;
            Ok(appliance.annotate(one(answer, "GET /v1/wallets/{wallet}", style)?))
        }
    }
}

fn one(answer: Value, path: &str, style: Style) -> Result<Report, Failure> {
    let wallet: Wallet = http::read(&answer, path)?;
    Ok(Report::new(wallet.describe(style), answer))
}

fn list(appliance: &Appliance, style: Style) -> Result<Report, Failure> {
    let mut wallets: Vec<Value> = Vec::new();
    let mut after = String::new();
    for _ in 0..MAX_PAGES {
        let path = format!("/v1/wallets?limit={PAGE}{after}");
        let page: Page = http::read(&appliance.get(&path)?, "GET /v1/wallets")?;
        wallets.extend(page.wallets);
        let Some(next) = page.next else { return table(&wallets, style) };
        // A name needs no escaping; anything else would be the host's words in our request.
        let next: WalletName =
            next.parse().map_err(|_| Failure::new("the server's \"next\" is not a wallet's name"))?;
        let next = format!("&after={next}");
        if next == after {
            break;
        }
        after = next;
    }
    Err(Failure::new("the server's listing has no end"))
}

fn table(answers: &[Value], style: Style) -> Result<Report, Failure> {
    let wallets: Vec<Wallet> =
        answers.iter().map(|answer| http::read(answer, "GET /v1/wallets")).collect::<Result<_, _>>()?;
    let width = wallets.iter().map(|wallet| wallet.name.chars().count()).max().unwrap_or_default().max(4);
    let row = |wallet: &Wallet| {
        let (name, id) = (clean(&wallet.name), clean(&wallet.id));
        format!("{name:width$}  {id:34}  {}", clean(&wallet.created_at))
    };
    let human = if wallets.is_empty() {
        "There are no wallets. Create one: signerctl wallet create NAME".to_owned()
    } else {
        let header = style.bold(&format!("{:width$}  {:34}  CREATED", "NAME", "ID"));
        std::iter::once(header).chain(wallets.iter().map(row)).collect::<Vec<_>>().join("\n")
    };
    Ok(Report::new(human, json!({ "wallets": answers })))
}

impl Wallet {
    fn describe(&self, style: Style) -> String {
        let mut text = fields(&[
            ("name", style.bold(&clean(&self.name))),
            ("id", clean(&self.id)),
            ("kind", clean(&self.kind)),
            ("keyring", clean(self.keyring.as_deref().unwrap_or("-"))),
            ("created", clean(&self.created_at)),
        ]);
        for account in &self.accounts {
            let mut rows = vec![("public key", clean(&account.public_key))];
            let addresses: Vec<(String, String)> = account
                .addresses
                .iter()
                .map(|(family, address)| (clean(family), clean(address.as_str().unwrap_or("?"))))
                .collect();
            rows.extend(addresses.iter().map(|(family, address)| (family.as_str(), address.clone())));
            let rows = fields(&rows).replace('\n', "\n  ");
            text = format!("{text}\n\naccount {}, {}\n  {rows}", clean(&account.path), clean(&account.curve));
        }
        text
    }
}

/// A name or an id: nothing that would change the path of the request.
pub(crate) fn parse_wallet(text: &str) -> Result<String, &'static str> {
    if text.parse::<WalletName>().is_ok() || text.parse::<WalletId>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("write a name (a-z, 0-9, '-') or an id (w_ and 32 hexadecimal digits)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_are_shown_and_unknown_members_ignored() {
        let answer = json!({
            "id": "w_00", "name": "treasury", "kind": "hd", "keyring": "default", "created_at": "2026-01-01T00:00:00Z",
            "later": 1,
            "accounts": [{"path": "m/44'/60'/0'/0/0", "curve": "secp256k1", "public_key": "02", "addresses": {"evm": "0x1"}}]
        });
        let report = one(answer.clone(), "", Terminal::plain().style()).unwrap();
        assert!(
            report
                .human
                .ends_with("account m/44'/60'/0'/0/0, secp256k1\n  public key  02\n  evm         0x1")
        );
        assert_eq!(report.json, answer);
        assert!(one(json!({"name": "x"}), "", Terminal::plain().style()).is_err());
    }

    #[test]
    fn only_names_and_ids_enter_a_path() {
        assert!(parse_wallet("treasury").is_ok() && parse_wallet(&format!("w_{}", "ab".repeat(16))).is_ok());
        for text in ["../status", "a/b", "a?b", "w_12", ""] {
            assert!(parse_wallet(text).is_err(), "{text}");
        }
    }
}
