//! The token programs, judged by `spl-token-interface`.

use proptest::prelude::*;
use spl_token_interface::ID;
use spl_token_interface::instruction::{self as theirs, AuthorityType};

use super::*;
use crate::chain::facts::{TokenAuthority, TokenInstruction as Ours};

/// Both programs understand what is in both.
fn check(built: &Built, ours: Ours, roles: usize) {
    assert_eq!(built.program, TOKEN);
    built.check(&SolanaDecodedInstruction::Token(ours.clone()), roles);
    let newer = Built { program: TOKEN_2022, ..built.clone() };
    newer.check(&SolanaDecodedInstruction::Token2022(ours), roles);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn transfers_and_delegations_are_decoded_alike(keys: [[u8; 32]; 5], amount: u64, decimals: u8, multisig: bool) {
        let [a, b, c, d, extra] = keys.map(Into::into);
        let signers = [&extra];
        let signers = if multisig { &signers[..] } else { &[] };
        let read = |index: usize| account(keys[index], false, false);
        let write = |index: usize| account(keys[index], false, true);
        let sign = |index: usize| account(keys[index], !multisig, false);

        check(
            &built!(theirs::transfer(&ID, &a, &b, &c, signers, amount).unwrap()),
            Ours::Transfer { source: write(0), destination: write(1), authority: sign(2), amount },
            3,
        );
        check(
            &built!(theirs::transfer_checked(&ID, &a, &b, &c, &d, signers, amount, decimals).unwrap()),
            Ours::TransferChecked {
                source: write(0), mint: read(1), destination: write(2), authority: sign(3), amount, decimals,
            },
            4,
        );
        check(
            &built!(theirs::approve(&ID, &a, &b, &c, signers, amount).unwrap()),
            Ours::Approve { source: write(0), delegate: read(1), authority: sign(2), amount },
            3,
        );
        check(
            &built!(theirs::approve_checked(&ID, &a, &b, &c, &d, signers, amount, decimals).unwrap()),
            Ours::ApproveChecked {
                source: write(0), mint: read(1), delegate: read(2), authority: sign(3), amount, decimals,
            },
            4,
        );
        check(
            &built!(theirs::revoke(&ID, &a, &b, signers).unwrap()),
            Ours::Revoke { source: write(0), authority: sign(1) },
            2,
        );
        let (account, destination, authority) = (write(0), write(1), sign(2));
        check(
            &built!(theirs::close_account(&ID, &a, &b, &c, signers).unwrap()),
            Ours::CloseAccount { account, destination, authority },
            3,
        );
        let source = account;
        check(
            &built!(theirs::withdraw_excess_lamports(&ID, &a, &b, &c, signers).unwrap()),
            Ours::WithdrawExcessLamports { source, destination, authority },
            3,
        );
        for amount in [None, Some(amount)] {
            check(
                &built!(theirs::unwrap_lamports(&ID, &a, &b, &c, signers, amount).unwrap()),
                Ours::UnwrapLamports { source, destination, authority, amount },
                3,
            );
        }
    }

    #[test]
    fn supply_and_authority_are_decoded_alike(keys: [[u8; 32]; 4], amount: u64, decimals: u8) {
        let [a, b, c, d] = keys.map(Into::into);
        let read = |index: usize| account(keys[index], false, false);
        let write = |index: usize| account(keys[index], false, true);
        let authority = account(keys[2], true, false);

        check(
            &built!(theirs::mint_to(&ID, &a, &b, &c, &[], amount).unwrap()),
            Ours::MintTo { mint: write(0), account: write(1), authority, amount },
            3,
        );
        check(
            &built!(theirs::mint_to_checked(&ID, &a, &b, &c, &[], amount, decimals).unwrap()),
            Ours::MintToChecked { mint: write(0), account: write(1), authority, amount, decimals },
            3,
        );
        check(
            &built!(theirs::burn(&ID, &a, &b, &c, &[], amount).unwrap()),
            Ours::Burn { account: write(0), mint: write(1), authority, amount },
            3,
        );
        check(
            &built!(theirs::burn_checked(&ID, &a, &b, &c, &[], amount, decimals).unwrap()),
            Ours::BurnChecked { account: write(0), mint: write(1), authority, amount, decimals },
            3,
        );
        let (account, mint) = (write(0), read(1));
        check(
            &built!(theirs::freeze_account(&ID, &a, &b, &c, &[]).unwrap()),
            Ours::FreezeAccount { account, mint, authority },
            3,
        );
        check(
            &built!(theirs::thaw_account(&ID, &a, &b, &c, &[]).unwrap()),
            Ours::ThawAccount { account, mint, authority },
            3,
        );
        check(&built!(theirs::sync_native(&ID, &a).unwrap()), Ours::SyncNative { account }, 1);
        let types = [
            (AuthorityType::MintTokens, TokenAuthority::MintTokens),
            (AuthorityType::FreezeAccount, TokenAuthority::FreezeAccount),
            (AuthorityType::AccountOwner, TokenAuthority::AccountOwner),
            (AuthorityType::CloseAccount, TokenAuthority::CloseAccount),
        ];
        for (theirs_type, authority_type) in types {
            for new in [None, Some(&d)] {
                let new_authority = new.map(|_| SolanaAddress::new(keys[3]));
                check(
                    &built!(theirs::set_authority(&ID, &a, new, theirs_type.clone(), &c, &[]).unwrap()),
                    Ours::SetAuthority { account, authority, authority_type, new_authority },
                    2,
                );
            }
        }
    }

    #[test]
    fn initializations_are_decoded_alike(keys: [[u8; 32]; 4], decimals: u8) {
        let [a, b, c, d] = keys.map(Into::into);
        let read = |index: usize| account(keys[index], false, false);
        let write = |index: usize| account(keys[index], false, true);
        let key = |index: usize| SolanaAddress::new(keys[index]);
        let (account, mint) = (write(0), read(1));

        for freeze in [None, Some(&c)] {
            let ours = Ours::InitializeMint {
                mint: account, decimals, mint_authority: key(1), freeze_authority: freeze.map(|_| key(2)),
            };
            check(&built!(theirs::initialize_mint(&ID, &a, &b, freeze, decimals).unwrap()), ours.clone(), 2);
            check(&built!(theirs::initialize_mint2(&ID, &a, &b, freeze, decimals).unwrap()), ours, 1);
        }
        check(
            &built!(theirs::initialize_account(&ID, &a, &b, &c).unwrap()),
            Ours::InitializeAccount { account, mint, owner: read(2) },
            4,
        );
        let ours = Ours::InitializeAccount3 { account, mint, owner: key(2) };
        check(&built!(theirs::initialize_account2(&ID, &a, &b, &c).unwrap()), ours.clone(), 3);
        check(&built!(theirs::initialize_account3(&ID, &a, &b, &c).unwrap()), ours, 2);
        let ours = Ours::InitializeMultisig { multisig: account, m: 2, signers: vec![read(1), read(2), read(3)] };
        check(&built!(theirs::initialize_multisig(&ID, &a, &[&b, &c, &d], 2).unwrap()), ours.clone(), 2);
        check(&built!(theirs::initialize_multisig2(&ID, &a, &[&b, &c, &d], 2).unwrap()), ours, 1);
        check(
            &built!(theirs::initialize_immutable_owner(&ID, &a).unwrap()),
            Ours::InitializeImmutableOwner { account },
            1,
        );
    }
}

#[test]
fn transfers_with_fee_are_of_token_2022_alone() {
    let accounts = accounts(4);
    // TransferFeeExtension (26), TransferCheckedWithFee (1): amount, decimals, fee.
    let data = [&[26, 1][..], &1_000_u64.to_le_bytes(), &[6], &10_u64.to_le_bytes()].concat();
    let ours = Ours::TransferCheckedWithFee {
        source: accounts[0],
        mint: accounts[1],
        destination: accounts[2],
        authority: accounts[3],
        amount: 1_000,
        decimals: 6,
        fee: 10,
    };
    let built = Built { program: TOKEN_2022, accounts, data };
    built.check(&SolanaDecodedInstruction::Token2022(ours), 4);
    assert_eq!(Built { program: TOKEN, ..built.clone() }.decode(), None);
    for other in [0, 2, 3, 4, 5, 6] {
        let mut data = built.data.clone();
        data[1] = other;
        assert_eq!(Built { data, ..built.clone() }.decode(), None);
    }
}

#[test]
fn powers_of_token_2022_are_unknown_to_its_predecessor() {
    for number in 0..=u8::MAX {
        let data = [6, number, 0];
        assert_eq!(decode(&TOKEN, &accounts(2), &data).is_some(), number < 4);
        assert_eq!(decode(&TOKEN_2022, &accounts(2), &data).is_some(), number < 18);
    }
    assert_eq!(decode(&TOKEN, &accounts(2), &[&[6, 0, 2][..], &[1; 32]].concat()), None);
}

#[test]
fn batches_and_extensions_are_not_decoded() {
    for program in [TOKEN, TOKEN_2022] {
        for tag in (21..=25).chain(27..=37).chain(39..=44).chain(46..=255).filter(|tag| *tag != 22) {
            assert_eq!(decode(&program, &accounts(6), &[tag]), None, "{tag}");
            assert_eq!(decode(&program, &accounts(6), &[tag, 0, 0, 0, 0, 0, 0, 0, 0]), None, "{tag}");
        }
    }
}
