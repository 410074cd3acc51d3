//! From a signed EVM transaction to the unsigned one.
//!
//! Only the outermost list is taken apart and put together again, loosely: the result goes to the strict parser.

/// The unsigned serialization in hex, if `text` has the form of a signed transaction.
pub(super) fn without_signature(text: &str) -> Option<String> {
    let bytes = hex::decode(text.strip_prefix("0x")?).ok()?;
    let (prefix, list) = match bytes.first()? {
        1..=4 => bytes.split_at(1),
        _ => bytes.split_at(0),
    };
    let items = items(list)?;
    let signed_count = match prefix.first() {
        None => 9,
        Some(1) => 11,
        Some(2) => 12,
        Some(3) => 14,
        Some(_) => 13,
    };
    if items.len() != signed_count {
        return None;
    }
    let (fields, signature) = items.split_at(signed_count - 3);
    let mut contents = fields.concat();
    if prefix.is_empty() {
        // r and s of an unsigned legacy transaction are empty strings.
        if signature[1..] == [[0x80], [0x80]] {
            return None;
        }
        contents.extend(eip_155(signature[0])?);
    }
    let header = header(&contents);
    Some(format!("0x{}", hex::encode([prefix, &header, &contents].concat())))
}

/// The items of the one list that these bytes are, each as it is encoded.
fn items(list: &[u8]) -> Option<Vec<&[u8]>> {
    let (start, end) = extent(list)?;
    if list[0] < 0xc0 || end != list.len() {
        return None;
    }
    let mut rest = &list[start..];
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (_, end) = extent(rest)?;
        let (item, after) = rest.split_at(end);
        items.push(item);
        rest = after;
    }
    Some(items)
}

/// Where the contents of the first RLP item start and end.
fn extent(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((0, 1));
    }
    let short = usize::from(first & 0x3f);
    let (start, length) = match short.checked_sub(55) {
        None | Some(0) => (1, short),
        Some(size) => {
            let digits = bytes.get(1..=size)?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256)?.checked_add(usize::from(*digit))
            })?;
            (1 + size, length)
        }
    };
    let end = start.checked_add(length)?;
    (end <= bytes.len()).then_some((start, end))
}

/// What an unsigned legacy transaction has instead of v: nothing, or the chain id and two empty strings (EIP-155).
fn eip_155(v: &[u8]) -> Option<Vec<u8>> {
    let (start, end) = extent(v)?;
    let digits = v.get(start..end)?;
    if digits.len() > 8 {
        return None;
    }
    let v = digits.iter().fold(0_u64, |v, digit| (v << 8) | u64::from(*digit));
    let chain_id = match v {
        27 | 28 => return Some(Vec::new()),
        _ => v.checked_sub(35)? / 2,
    };
    let digits: Vec<u8> = chain_id.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
    let encoded = match digits.as_slice() {
        [digit] if *digit < 0x80 => vec![*digit],
        // At most 8 digits.
        _ => [&[0x80 + u8::try_from(digits.len()).ok()?], digits.as_slice()].concat(),
    };
    Some([encoded.as_slice(), &[0x80, 0x80]].concat())
}

fn header(contents: &[u8]) -> Vec<u8> {
    match u8::try_from(contents.len()) {
        Ok(length) if length <= 55 => vec![0xc0 + length],
        _ => {
            let digits: Vec<u8> =
                contents.len().to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
            let size = u8::try_from(digits.len()).unwrap_or(8);
            [&[0xf7 + size], digits.as_slice()].concat()
        }
    }
}
