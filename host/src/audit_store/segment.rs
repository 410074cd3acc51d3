//! Pieces of a boot's log, as the store has them.

/// Where the store has segments, by boot and by the sequence number of the first record.
pub(super) const AUDIT_PREFIX: &str = "audit/";
const SEQUENCE_DIGITS: usize = 20;

/// Records and their checkpoint, as they are stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) content: Vec<u8>,
}

impl Segment {
    /// From a page of the enclave's, without the records that the store has already.
    pub(super) fn new(stored: Option<u64>, first: u64, records: &[&[u8]], checkpoint: &str) -> Option<Self> {
        let wanted = stored.map_or(0, |stored| stored.saturating_add(1));
        let known = usize::try_from(wanted.saturating_sub(first)).unwrap_or(usize::MAX);
        let records = records.get(known..)?;
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        // Records before `first` that the store does not have are lost; the verifier will say so.
        let first = first.max(wanted);
        let last = first.checked_add(count.checked_sub(1)?)?;
        let mut content = Vec::new();
        for line in records.iter().copied().chain([checkpoint.as_bytes()]) {
            content.extend_from_slice(line);
            content.push(b'\n');
        }
        Some(Self { first, last, content })
    }
}

/// What a segment is called.
pub(super) fn segment_name(boot_id: &str, first: u64) -> String {
    format!("{AUDIT_PREFIX}{boot_id}/{first:0SEQUENCE_DIGITS$}")
}

/// The sequence number of the last record of a segment: its lines are records but for the last.
pub(super) fn last_of(first: u64, content: &[u8]) -> Option<u64> {
    let lines = content.split(|byte| *byte == b'\n').count().checked_sub(1)?;
    let records = u64::try_from(lines).ok()?.checked_sub(1)?;
    first.checked_add(records.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_lines_and_its_last_record_is_known() {
        let records: [&[u8]; 3] = [b"a", b"b", b"c"];
        let segment = Segment::new(None, 0, &records, "s").unwrap();
        assert_eq!((segment.first, segment.last, segment.content.as_slice()), (0, 2, &b"a\nb\nc\ns\n"[..]));
        assert_eq!(last_of(segment.first, &segment.content), Some(2));
        let trimmed = Segment::new(Some(1), 0, &records, "s").unwrap();
        assert_eq!((trimmed.first, trimmed.last, trimmed.content.as_slice()), (2, 2, &b"c\ns\n"[..]));
        assert_eq!(Segment::new(Some(2), 0, &records, "s"), None);
        assert_eq!(Segment::new(Some(9), 0, &records, "s"), None);
        assert_eq!(Segment::new(None, 0, &[], "s"), None);
        let behind_a_gap = Segment::new(Some(1), 7, &records, "s").unwrap();
        assert_eq!((behind_a_gap.first, behind_a_gap.last), (7, 9));
        assert_eq!((last_of(0, b""), last_of(0, b"s\n"), last_of(5, b"a\ns\n")), (None, None, Some(5)));
    }

    #[test]
    fn segments_sort_as_their_records_do() {
        let name = segment_name(&"0a".repeat(16), 1000);
        assert_eq!(name, format!("audit/{}/00000000000000001000", "0a".repeat(16)));
        assert!(signer_shared::object_name::is_valid(&segment_name(&"0a".repeat(16), u64::MAX)));
        assert!(segment_name(&"0a".repeat(16), 999) < name);
    }
}
