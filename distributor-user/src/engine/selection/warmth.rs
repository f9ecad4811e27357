//! Slow start: what part of its share a target gets.

/// How much of its share a target gets that has come back, in steps: slow start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warmth(u8);

impl Warmth {
    /// In how many steps a share grows.
    pub const STEPS: u32 = 16;
    /// All of it.
    pub const FULL: Self = Self(16);

    /// What a target gets that has so many steps behind it: one step at least, and all of them at most.
    #[must_use]
    pub fn of(steps: u32) -> Self {
        let steps = steps.clamp(1, Self::STEPS);
        u8::try_from(steps).map_or(Self::FULL, Self)
    }

    /// Whether it gets all of its share.
    #[must_use]
    pub fn is_full(self) -> bool {
        self == Self::FULL
    }

    /// The part in percent, rounded down.
    #[must_use]
    pub fn percent(self) -> u16 {
        u16::from(self.0) * 100 / u16::from(Self::FULL.0)
    }

    /// A weight in so many times finer units as there are steps, reduced to this part.
    pub(super) fn fine(self, weight: u16) -> u16 {
        weight * u16::from(self.0)
    }

    /// A weight reduced to this part, to no less than one if it is one.
    pub(super) fn coarse(self, weight: u8) -> u8 {
        let full = u16::from(Self::FULL.0);
        let part = (self.fine(weight.into()) + full / 2) / full;
        u8::try_from(part).unwrap_or(weight).max(weight.min(1))
    }
}
