//! Three-valued logic (Kleene): what cannot be known is neither true nor false.

use crate::bundle::Effect;

/// What is known of a condition, in the order in which the lesser decides a conjunction and the
/// greater a disjunction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    /// It does not hold.
    False,
    /// Whether it holds cannot be seen in what is signed.
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// True where this is false, and the other way round.
    pub(super) fn negated(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Whether all hold; looks no further than the first that does not.
pub(super) fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    fold(truths, Truth::True, Truth::False, Truth::min)
}

/// Whether one holds; looks no further than the first that does.
pub(super) fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    fold(truths, Truth::False, Truth::True, Truth::max)
}

fn fold(
    mut truths: impl Iterator<Item = Truth>,
    start: Truth,
    end: Truth,
    join: fn(Truth, Truth) -> Truth,
) -> Truth {
    let folded = truths.try_fold(start, |so_far, truth| {
        let joined = join(so_far, truth);
        if joined == end { Err(end) } else { Ok(joined) }
    });
    folded.unwrap_or_else(|end| end)
}

/// Several values under one condition. A rule that allows vouches for each of them, and for there
/// being one; to a rule that denies one of them is enough.
pub(super) struct Each {
    effect: Effect,
    truth: Option<Truth>,
}

impl Each {
    /// Of a rule with this effect.
    pub(super) fn new(effect: Effect) -> Self {
        Self { effect, truth: None }
    }

    /// Of these values.
    pub(super) fn of(effect: Effect, truths: impl Iterator<Item = Truth>) -> Truth {
        let mut each = Self::new(effect);
        truths.for_each(|truth| each.see(truth));
        each.truth()
    }

    /// One more value.
    pub(super) fn see(&mut self, truth: Truth) {
        self.truth = Some(match (self.truth, self.effect) {
            (None, _) => truth,
            (Some(so_far), Effect::Allow) => so_far.min(truth),
            (Some(so_far), Effect::Deny) => so_far.max(truth),
        });
    }

    /// Of those that were seen.
    pub(super) fn truth(&self) -> Truth {
        self.truth.unwrap_or(Truth::False)
    }
}

#[cfg(test)]
mod tests {
    use super::{Truth::*, *};

    const TRUTHS: [Truth; 3] = [False, Unknown, True];

    #[test]
    fn conjunction_and_disjunction_are_kleenes() {
        for one in TRUTHS {
            for other in TRUTHS {
                let and = match (one, other) {
                    (False, _) | (_, False) => False,
                    (True, True) => True,
                    _ => Unknown,
                };
                let or = and_of_negations(one, other);
                assert_eq!(all([one, other].into_iter()), and);
                assert_eq!(any([one, other].into_iter()), or);
            }
        }
        assert_eq!((all([].into_iter()), any([].into_iter())), (True, False));
    }

    fn and_of_negations(one: Truth, other: Truth) -> Truth {
        all([one.negated(), other.negated()].into_iter()).negated()
    }

    #[test]
    fn whoever_allows_vouches_for_all_and_whoever_denies_needs_one() {
        for (truths, allow, deny) in [
            (&[][..], False, False),
            (&[True], True, True),
            (&[Unknown], Unknown, Unknown),
            (&[False], False, False),
            (&[True, Unknown], Unknown, True),
            (&[True, False], False, True),
            (&[Unknown, False], False, Unknown),
            (&[True, Unknown, False], False, True),
        ] {
            assert_eq!(Each::of(Effect::Allow, truths.iter().copied()), allow, "{truths:?}");
            assert_eq!(Each::of(Effect::Deny, truths.iter().copied()), deny, "{truths:?}");
        }
    }
}
