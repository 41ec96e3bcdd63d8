//! What machines cost by the hour.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An amount of US dollars; finite, never negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Dollars(f64);

impl Dollars {
    pub const ZERO: Self = Self(0.0);

    /// Refuses what is no amount: NaN, infinity, a debt.
    pub fn new(amount: f64) -> Option<Self> {
        (amount.is_finite() && amount >= 0.0).then_some(Self(amount))
    }

    pub const fn amount(self) -> f64 {
        self.0
    }

    pub fn plus(self, other: Self) -> Self {
        // The largest amount, where the sum is none.
        Self::new(self.0 + other.0).unwrap_or(Self(f64::MAX))
    }

    /// So many times as much.
    pub fn times(self, factor: f64) -> Option<Self> {
        Self::new(self.0 * factor)
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&if self.0 < 0.1 && self.0 > 0.0 { format!("${:.4}", self.0) } else { format!("${:.2}", self.0) })
    }
}

/// What is offered: a type of machine, how it is bought, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offer {
    pub instance_type: Arc<str>,
    pub capacity_type: Arc<str>,
    pub zone: Arc<str>,
}

/// Prices per hour by offer. Nothing is derived: what is not told has no price.
#[derive(Debug, Clone, Default)]
pub struct Prices(HashMap<Offer, Dollars>);

impl Prices {
    /// Takes a price in. Reserved capacity reports 0, which is no price; neither is NaN.
    pub fn set(&mut self, offer: Offer, per_hour: f64) {
        if &*offer.capacity_type == "reserved" {
            return;
        }
        match Dollars::new(per_hour).filter(|price| price.amount() > 0.0) {
            Some(price) => self.0.insert(offer, price),
            None => self.0.remove(&offer),
        };
    }

    /// Every offer that has a price.
    pub fn iter(&self) -> impl Iterator<Item = (&Offer, Dollars)> {
        self.0.iter().map(|(offer, price)| (offer, *price))
    }

    pub fn get(&self, offer: &Offer) -> Option<Dollars> {
        self.0.get(offer).copied()
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}", self.capacity_type, self.instance_type, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_price_leaves_none() {
        let offer = |capacity: &str| Offer {
            instance_type: "m5.2xlarge".into(),
            capacity_type: capacity.into(),
            zone: "z".into(),
        };
        let mut prices = Prices::default();
        prices.set(offer("spot"), 0.25);
        prices.set(offer("reserved"), 0.0);
        assert_eq!((prices.get(&offer("spot")).unwrap().amount(), prices.get(&offer("reserved"))), (0.25, None));
        for odd in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            prices.set(offer("spot"), 0.25);
            prices.set(offer("spot"), odd);
            assert_eq!(prices.get(&offer("spot")), None, "{odd}");
        }
        assert_eq!(
            (Dollars(0.0312).to_string(), Dollars(71.2).to_string(), Dollars::ZERO.to_string()),
            ("$0.0312".into(), "$71.20".into(), "$0.00".into())
        );
    }
}
