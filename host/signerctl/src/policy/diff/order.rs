//! What moved in a list.

use std::collections::HashMap;

/// The items of `new` that are in `old` too and do not stand in the same order: as few as explain the difference.
pub(super) fn moved<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<&'a str> {
    let places: HashMap<&str, usize> = old.iter().enumerate().map(|(place, item)| (*item, place)).collect();
    let kept: Vec<(&str, usize)> = new.iter().filter_map(|item| Some((*item, *places.get(item)?))).collect();
    let in_order = longest_rising(&kept.iter().map(|(_, place)| *place).collect::<Vec<_>>());
    kept.iter()
        .enumerate()
        .filter(|(index, _)| in_order.binary_search(index).is_err())
        .map(|(_, (item, _))| *item)
        .collect()
}

/// The indices of a longest rising subsequence, in order.
fn longest_rising(values: &[usize]) -> Vec<usize> {
    // For each length, the index at which the sequence of that length with the least end ends.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let length = ends.partition_point(|end| values[*end] < *value);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() {
            ends.push(index);
        } else {
            ends[length] = index;
        }
    }
    let mut found: Vec<usize> = std::iter::successors(ends.last().copied(), |index| before[*index]).collect();
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_few_as_possible_moved() {
        assert_eq!(moved(&["a", "b", "c"], &["a", "b", "c"]), [""; 0]);
        assert_eq!(moved(&["a", "b", "c"], &["c", "a", "b"]), ["c"]);
        assert_eq!(moved(&["a", "b", "c"], &["x", "b", "c", "a"]), ["a"]);
        assert_eq!(moved(&["a", "b", "c"], &["c"]), [""; 0]);
        assert_eq!(moved(&["a", "b"], &["b", "a"]).len(), 1);
    }
}
