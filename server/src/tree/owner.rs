//! What a znode's `ephemeralOwner` says about it.
//!
//! Compat: one 64-bit field is a session id, a container's mark or a time to live, told apart by
//! its upper bits and by two switches of the whole ensemble (`EphemeralType`, 3.9.5).

/// The owner of a container.
pub const CONTAINER: i64 = i64::MIN;

/// The longest time to live in milliseconds, about 34 years.
pub const TTL_MS_MAX: i64 = 0xff_ffff_ffff;

const EXTENDED: i64 = 0xff << 56;
const FEATURE: i64 = 0xffff << 40;

/// How owners are read. The same on every server of an ensemble, or their trees differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OwnerRules {
    /// `zookeeper.extendedTypesEnabled`.
    pub extended_types: bool,
    /// `zookeeper.emulate353TTLNodes`; nothing without `extended_types`.
    pub emulate_353: bool,
}

/// The kinds of znode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    Persistent,
    /// Goes when this session goes.
    Ephemeral(i64),
    Container,
    /// May go when childless and unchanged for so many milliseconds.
    Ttl(i64),
}

/// The owner field of a znode with this time to live; `None` out of bounds.
pub fn ttl_owner(ttl_ms: i64) -> Option<i64> {
    (1..=TTL_MS_MAX).contains(&ttl_ms).then_some(EXTENDED | ttl_ms)
}

impl OwnerRules {
    pub fn classify(self, owner: i64) -> Owner {
        if self.extended_types {
            if self.emulate_353 && owner < 0 && owner != CONTAINER {
                return Owner::Ttl(owner & (i64::MAX >> 3));
            }
            // A feature other than TTL makes Java throw; to us it is a session nobody has.
            if owner & EXTENDED == EXTENDED && owner & FEATURE == 0 {
                return Owner::Ttl(owner & TTL_MS_MAX);
            }
        }
        match owner {
            0 => Owner::Persistent,
            CONTAINER => Owner::Container,
            session => Owner::Ephemeral(session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_told_apart_as_in_java() {
        let plain = OwnerRules::default();
        let extended = OwnerRules { extended_types: true, emulate_353: false };
        let emulating = OwnerRules { extended_types: true, emulate_353: true };
        let ttl = ttl_owner(5000).unwrap();
        assert_eq!(plain.classify(0), Owner::Persistent);
        assert_eq!(plain.classify(7), Owner::Ephemeral(7));
        assert_eq!(plain.classify(CONTAINER), Owner::Container);
        assert_eq!(extended.classify(CONTAINER), Owner::Container);
        assert_eq!(plain.classify(ttl), Owner::Ephemeral(ttl));
        assert_eq!(extended.classify(ttl), Owner::Ttl(5000));
        assert_eq!(emulating.classify(i64::MIN | 5000), Owner::Ttl(5000));
        assert_eq!(emulating.classify(CONTAINER), Owner::Container);
    }

    #[test]
    fn a_time_to_live_has_forty_bits_and_is_not_zero() {
        assert_eq!(ttl_owner(0), None);
        assert_eq!(ttl_owner(TTL_MS_MAX + 1), None);
        assert_eq!(ttl_owner(TTL_MS_MAX), Some(-1 ^ FEATURE));
    }
}
