//! The system program, judged by `solana-system-interface`.

use proptest::prelude::*;
use solana_message::Address;
use solana_system_interface::instruction as theirs;

use super::*;
use crate::chain::facts::SystemInstruction as Ours;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn transfers_and_allocations_are_decoded_alike(
        keys: [[u8; 32]; 4], lamports: u64, space: u64, seed in "\\PC{0,12}",
    ) {
        let [a, b, base, owner] = keys.map(Address::from);
        let [from, to] = [account(keys[0], true, true), account(keys[1], false, true)];
        let owner_key = SolanaAddress::new(keys[3]);
        let base_key = SolanaAddress::new(keys[2]);
        let check = |built: Built, ours: Ours, roles| built.check(&SolanaDecodedInstruction::System(ours), roles);

        check(built!(theirs::transfer(&a, &b, lamports)), Ours::Transfer { from, to, lamports }, 2);
        check(built!(theirs::assign(&a, &owner)), Ours::Assign { account: from, owner: owner_key }, 1);
        check(built!(theirs::allocate(&a, space)), Ours::Allocate { account: from, space }, 1);
        check(
            built!(theirs::create_account(&a, &b, lamports, space, &owner)),
            Ours::CreateAccount { from, account: account(keys[1], true, true), lamports, space, owner: owner_key },
            2,
        );
        check(
            built!(theirs::create_account_with_seed(&a, &b, &base, &seed, lamports, space, &owner)),
            Ours::CreateAccountWithSeed {
                from, account: to, base: base_key, seed: seed.clone(), lamports, space, owner: owner_key,
            },
            2,
        );
        check(
            built!(theirs::allocate_with_seed(&b, &base, &seed, space, &owner)),
            Ours::AllocateWithSeed { account: to, base: base_key, seed: seed.clone(), space, owner: owner_key },
            2,
        );
        check(
            built!(theirs::assign_with_seed(&b, &base, &seed, &owner)),
            Ours::AssignWithSeed { account: to, base: base_key, seed: seed.clone(), owner: owner_key },
            2,
        );
        check(
            built!(theirs::transfer_with_seed(&a, &base, seed.clone(), &owner, &b, lamports)),
            Ours::TransferWithSeed {
                from: account(keys[0], false, true), base: account(keys[2], true, false), to, lamports,
                from_seed: seed.clone(), from_owner: owner_key,
            },
            3,
        );
        let lamports = lamports.max(1);
        check(
            built!(theirs::create_account_allow_prefund(&b, Some((&a, lamports)), space, &owner)),
            Ours::CreateAccountAllowPrefund {
                account: account(keys[1], true, true), from: Some(from), lamports, space, owner: owner_key,
            },
            2,
        );
        check(
            built!(theirs::create_account_allow_prefund(&b, None, space, &owner)),
            Ours::CreateAccountAllowPrefund {
                account: account(keys[1], true, true), from: None, lamports: 0, space, owner: owner_key,
            },
            1,
        );
    }

    #[test]
    fn nonces_are_decoded_alike(keys: [[u8; 32]; 4], lamports: u64) {
        let [nonce_key, authority_key, to_key, new] = keys.map(Address::from);
        let nonce = account(keys[0], false, true);
        let authority = account(keys[1], true, false);
        let new_authority = SolanaAddress::new(keys[3]);
        let check = |built: Built, ours: Ours| {
            let roles = built.accounts.len();
            built.check(&SolanaDecodedInstruction::System(ours), roles);
            // Another signer could be the one whose authority counts.
            let accounts = [&built.accounts[..], &[account([9; 32], true, false)]].concat();
            assert_eq!(Built { accounts, ..built }.decode(), None);
        };

        check(
            built!(theirs::advance_nonce_account(&nonce_key, &authority_key)),
            Ours::AdvanceNonceAccount { nonce, authority },
        );
        check(
            built!(theirs::withdraw_nonce_account(&nonce_key, &authority_key, &to_key, lamports)),
            Ours::WithdrawNonceAccount { nonce, to: account(keys[2], false, true), authority, lamports },
        );
        check(
            built!(theirs::authorize_nonce_account(&nonce_key, &authority_key, &new)),
            Ours::AuthorizeNonceAccount { nonce, authority, new_authority },
        );
        check(built!(theirs::upgrade_nonce_account(nonce_key)), Ours::UpgradeNonceAccount { nonce });
        let [_, initialize] = theirs::create_nonce_account(&to_key, &nonce_key, &new, lamports).try_into().unwrap();
        check(built!(initialize), Ours::InitializeNonceAccount { nonce, authority: new_authority });
    }
}

#[test]
fn what_is_no_instruction_is_not_decoded() {
    let accounts = accounts(6);
    for tag in [14_u32, 255, 256, 0x0200_0000, u32::MAX] {
        let data = [&tag.to_le_bytes()[..], &[0; 8]].concat();
        assert_eq!(decode(&SYSTEM, &accounts, &data), None);
    }
    // A seed that is not UTF-8, one that claims to be longer than it is, and one longer than memory.
    let with_seed = |length: u64, seed: &[u8]| {
        [&10_u32.to_le_bytes()[..], &[1; 32], &length.to_le_bytes(), seed, &[2; 32]].concat()
    };
    assert!(decode(&SYSTEM, &accounts, &with_seed(1, b"s")).is_some());
    for data in [with_seed(1, &[0xff]), with_seed(2, b"s"), with_seed(u64::MAX, b"s")] {
        assert_eq!(decode(&SYSTEM, &accounts, &data), None);
    }
}
