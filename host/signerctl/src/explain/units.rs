//! Amounts in the units that people think in, beside the exact numbers.

use signer_rules::chain::facts::EVM_TRANSACTION;

/// The value of a member as a person reads it; `None` leaves it as it is.
pub(super) fn annotate(operation: &str, member: &str, value: &str) -> Option<String> {
    let (unit, large, decimals) = match member {
        "value" | "max_cost" if operation == EVM_TRANSACTION => ("wei", "ETH", 18),
        "gas_price" | "max_fee_per_gas" | "max_priority_fee_per_gas" | "max_fee_per_blob_gas" => {
            ("wei", "gwei", 9)
        }
        "lamports" => ("lamports", "SOL", 9),
        _ => return None,
    };
    let amount = shifted(value, decimals)?;
    Some(format!("{value} {unit} = {amount} {large}"))
}

/// A decimal number divided by a power of ten, exactly.
fn shifted(number: &str, decimals: usize) -> Option<String> {
    if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{number:0>width$}", width = decimals + 1);
    let (whole, fraction) = padded.split_at(padded.len() - decimals);
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (number, decimals, shown) in [
            ("0", 18, "0"),
            ("1", 18, "0.000000000000000001"),
            ("1000000000000000000", 18, "1"),
            ("1500000000000000000", 18, "1.5"),
            ("20000000000", 9, "20"),
            ("123", 0, "123"),
        ] {
            assert_eq!(shifted(number, decimals).as_deref(), Some(shown));
        }
        assert_eq!(shifted("0x1", 9), None);
        assert_eq!(annotate(EVM_TRANSACTION, "value", "1").unwrap(), "1 wei = 0.000000000000000001 ETH");
        assert_eq!(annotate("evm.typed_data", "value", "1"), None);
    }
}
