//! Instructions built by the programs' own crates are decoded to the same values, and bent ones not at all.

mod system;
mod token;

use serde_json::json;
use solana_compute_budget_interface::ComputeBudgetInstruction as TheirBudget;

use super::*;
use crate::chain::facts::{
    AssociatedTokenInstruction, ComputeBudgetInstruction, MemoInstruction, SolanaAccountKey,
};

/// An instruction as our decoder gets it.
#[derive(Clone, Debug)]
struct Built {
    program: SolanaAddress,
    accounts: Vec<SolanaAccount>,
    data: Vec<u8>,
}

impl Built {
    fn decode(&self) -> Option<SolanaDecodedInstruction> {
        decode(&self.program, &self.accounts, &self.data)
    }

    /// Decoded as `expected` with exactly this data and at least `roles` accounts.
    fn check(&self, expected: &SolanaDecodedInstruction, roles: usize) {
        assert_eq!(self.decode().as_ref(), Some(expected));
        for length in 0..self.data.len() {
            let truncated = Self { data: self.data[..length].to_vec(), ..self.clone() };
            assert_eq!(truncated.decode(), None, "{length} bytes of {self:?}");
        }
        for surplus in [vec![0], vec![1], vec![0; 8], vec![0; 32], vec![7; 32]] {
            let data = [&self.data[..], &surplus].concat();
            assert_eq!(Self { data, ..self.clone() }.decode(), None, "surplus {surplus:?} after {self:?}");
        }
        for count in 0..roles {
            let fewer = Self { accounts: self.accounts[..count].to_vec(), ..self.clone() };
            assert_eq!(fewer.decode(), None, "{count} accounts of {self:?}");
        }
        let accounts = self.accounts[..roles].to_vec();
        assert!(Self { accounts, ..self.clone() }.decode().is_some(), "{roles} accounts of {self:?}");
    }
}

/// Each of the crates has a version of the instruction type of its own, with the same members.
macro_rules! built {
    ($instruction:expr) => {{
        let theirs = $instruction;
        let accounts = theirs.accounts.iter();
        $crate::chain::solana::instructions::tests::Built {
            program: SolanaAddress::new(theirs.program_id.to_bytes()),
            accounts: accounts
                .map(|meta| account(meta.pubkey.to_bytes(), meta.is_signer, meta.is_writable))
                .collect(),
            data: theirs.data,
        }
    }};
}
use built;

fn account(address: [u8; 32], signer: bool, writable: bool) -> SolanaAccount {
    SolanaAccount::Static(SolanaAccountKey { address: SolanaAddress::new(address), signer, writable })
}

fn accounts(count: u8) -> Vec<SolanaAccount> {
    (1..=count).map(|n| account([n; 32], n % 2 == 0, n % 3 == 0)).collect()
}

#[test]
fn compute_budget_instructions_are_decoded() {
    use ComputeBudgetInstruction as Ours;
    for value in [0, 1, 65_536, u32::MAX] {
        let wide = u64::from(value) << 31;
        let cases = [
            (TheirBudget::request_heap_frame(value), Ours::RequestHeapFrame { bytes: value }),
            (TheirBudget::set_compute_unit_limit(value), Ours::SetComputeUnitLimit { units: value }),
            (TheirBudget::set_compute_unit_price(wide), Ours::SetComputeUnitPrice { micro_lamports: wide }),
            (
                TheirBudget::set_loaded_accounts_data_size_limit(value),
                Ours::SetLoadedAccountsDataSizeLimit { bytes: value },
            ),
        ];
        for (theirs, ours) in cases {
            built!(theirs).check(&SolanaDecodedInstruction::ComputeBudget(ours), 0);
        }
    }
    // The first one is no longer in use.
    for tag in [0, 5, 255] {
        assert_eq!(decode(&COMPUTE_BUDGET, &[], &[tag, 0, 0, 0, 0]), None);
        assert_eq!(decode(&COMPUTE_BUDGET, &[], &[tag, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}

#[test]
fn associated_token_accounts_are_decoded() {
    let accounts = accounts(7);
    let [from, account, wallet, mint, _, token_program] = *accounts.first_chunk().unwrap();
    let create = AssociatedTokenInstruction::Create { from, account, wallet, mint, token_program };
    let idempotent =
        AssociatedTokenInstruction::CreateIdempotent { from, account, wallet, mint, token_program };
    let nested = AssociatedTokenInstruction::RecoverNested {
        nested: accounts[0],
        nested_mint: accounts[1],
        destination: accounts[2],
        owner: accounts[3],
        owner_mint: accounts[4],
        wallet: accounts[5],
        token_program: accounts[6],
    };
    let cases = [(&[][..], create, 6), (&[0], create, 6), (&[1], idempotent, 6), (&[2], nested, 7)];
    for (data, expected, roles) in cases {
        let decoded = decode(&ASSOCIATED_TOKEN, &accounts, data);
        assert_eq!(decoded, Some(SolanaDecodedInstruction::AssociatedTokenAccount(expected)));
        assert_eq!(decode(&ASSOCIATED_TOKEN, &accounts[..roles - 1], data), None);
        assert_eq!(decode(&ASSOCIATED_TOKEN, &accounts, &[data, &[0, 0]].concat()), None);
    }
    assert_eq!(decode(&ASSOCIATED_TOKEN, &accounts, &[3]), None);
}

#[test]
fn memos_are_text_or_nothing() {
    for (program, version) in [(MEMO_V1, MemoVersion::V1), (MEMO_V2, MemoVersion::V2)] {
        for text in ["", "hello", "✌🏿"] {
            let memo = MemoInstruction { version, text: text.to_owned() };
            let decoded = decode(&program, &accounts(1), text.as_bytes());
            assert_eq!(decoded, Some(SolanaDecodedInstruction::Memo(memo)));
        }
        assert_eq!(decode(&program, &[], &[b'a', 0xff]), None);
    }
}

#[test]
fn other_programs_are_not_decoded() {
    for program in [[1; 32], [0xff; 32]].map(SolanaAddress::new) {
        assert_eq!(decode(&program, &accounts(9), &[2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}

#[test]
fn json_names_program_and_instruction() {
    let [from, to] = [account([1; 32], true, true), account([2; 32], false, true)];
    let key = |n: u8| SolanaAddress::new([n; 32]);
    let data = [&[2, 0, 0, 0][..], &u64::MAX.to_le_bytes()].concat();
    assert_eq!(
        serde_json::to_value(decode(&SYSTEM, &[from, to], &data)).unwrap(),
        json!({"program": "system", "instruction": "transfer", "lamports": "18446744073709551615",
            "from": {"address": key(1), "signer": true, "writable": true},
            "to": {"address": key(2), "signer": false, "writable": true}})
    );
    let looked_up = SolanaAccount::Lookup { table: key(9), index: 3, writable: true };
    assert_eq!(
        serde_json::to_value(decode(&TOKEN_2022, &[looked_up, to], &[6, 16, 0])).unwrap(),
        json!({"program": "token_2022", "instruction": "set_authority", "authority_type": "pause",
            "new_authority": null, "account": {"table": key(9), "index": 3, "writable": true},
            "authority": {"address": key(2), "signer": false, "writable": true}})
    );
    assert_eq!(
        serde_json::to_value(decode(&MEMO_V2, &[], b"hi")).unwrap(),
        json!({"program": "memo", "version": "v2", "text": "hi"})
    );
    assert_eq!(
        serde_json::to_value(decode(&COMPUTE_BUDGET, &[], &[3, 1, 0, 0, 0, 0, 0, 0, 0])).unwrap(),
        json!({"program": "compute_budget", "instruction": "set_compute_unit_price", "micro_lamports": "1"})
    );
}
