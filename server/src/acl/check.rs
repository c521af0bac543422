//! Whether somebody may do something, and what they may see of a list.
//!
//! Not here: the shortcut for world:anyone that spares most checks this walk (`table`).

use crate::wire::{Acl, AuthId};

/// What the configuration says about checks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AclRules {
    /// `skipACL=yes`: everybody may do everything.
    pub skip: bool,
    /// `zookeeper.X509AuthenticationProvider.superUser`: a subject every x509 entry takes for its own.
    pub x509_super_user: Option<String>,
    /// `zookeeper.letAnySaslUserDoX`: a sasl id in a list that every sasl user matches.
    pub any_sasl_user: Option<String>,
}

/// Whether these ids have one of the wanted permissions, by the first entry that grants it.
///
/// An empty list is open to all, and so is every list to `super`.
pub fn permits(list: &[Acl], wanted: i32, ids: &[AuthId], rules: &AclRules) -> bool {
    list.is_empty()
        || rules.skip
        || is_super(ids)
        || list.iter().any(|acl| grants(acl, wanted, ids, rules))
}

pub fn is_super(ids: &[AuthId]) -> bool {
    ids.iter().any(|id| id.scheme == "super")
}

fn grants(acl: &Acl, wanted: i32, ids: &[AuthId], rules: &AclRules) -> bool {
    if acl.perms & wanted == 0 {
        return false;
    }
    if acl.scheme == "world" && acl.id == "anyone" {
        return true;
    }
    ids.iter().any(|id| id.scheme == acl.scheme && matches(id, &acl.id, rules))
}

/// Whether an id is the one an entry of its scheme means.
fn matches(id: &AuthId, expression: &str, rules: &AclRules) -> bool {
    match id.scheme.as_str() {
        "ip" => super::address::matches(&id.id, expression),
        "x509" => id.id == expression || rules.x509_super_user.as_ref() == Some(&id.id),
        "sasl" => {
            id.id == expression
                || id.id == "super"
                || rules.any_sasl_user.as_deref() == Some(expression)
        }
        _ => id.id == expression,
    }
}

/// A list as somebody sees it who may not change it: `digest` entries lose their hash.
///
/// Compat: everything after the first colon becomes `x` (`FinalRequestProcessor`, 3.9.5).
pub fn mask_digests(list: &[Acl]) -> Vec<Acl> {
    let masked = |acl: &Acl| match acl.id.split_once(':') {
        Some((user, _)) if acl.scheme == "digest" => {
            Acl::new(acl.perms, acl.scheme.as_str(), format!("{user}:x"))
        }
        _ => acl.clone(),
    };
    list.iter().map(masked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::perms::{ADMIN, READ, WRITE};

    fn check(list: &[Acl], wanted: i32, ids: &[(&str, &str)], rules: &AclRules) -> bool {
        let ids: Vec<_> = ids.iter().map(|(scheme, id)| AuthId::new(*scheme, *id)).collect();
        permits(list, wanted, &ids, rules)
    }

    #[test]
    fn the_first_entry_that_grants_decides() {
        let rules = AclRules::default();
        let list = [
            Acl::new(READ, "world", "anyone"),
            Acl::new(WRITE, "digest", "bob:hash"),
            Acl::new(WRITE, "ip", "10.0.0.0/8"),
        ];
        assert!(check(&list, READ, &[], &rules));
        assert!(check(&list, READ | ADMIN, &[], &rules), "one of several is enough");
        assert!(!check(&list, WRITE, &[("ip", "11.0.0.1")], &rules));
        assert!(check(&list, WRITE, &[("ip", "10.0.0.1")], &rules));
        assert!(check(&list, WRITE, &[("ip", "11.0.0.1"), ("digest", "bob:hash")], &rules));
        assert!(!check(&list, WRITE, &[("sasl", "bob:hash")], &rules));
        assert!(!check(&list, ADMIN, &[("digest", "bob:hash")], &rules));
    }

    #[test]
    fn open_lists_super_and_skip_let_everybody_pass() {
        let rules = AclRules::default();
        let closed = [Acl::new(READ, "digest", "bob:hash")];
        assert!(check(&[], ADMIN, &[], &rules));
        assert!(!check(&closed, ADMIN, &[], &rules));
        assert!(check(&closed, ADMIN, &[("super", "")], &rules));
        assert!(check(&closed, ADMIN, &[], &AclRules { skip: true, ..rules }));
    }

    #[test]
    fn super_users_of_a_scheme_match_its_entries_alone() {
        let rules = AclRules {
            x509_super_user: Some("CN=root".into()),
            any_sasl_user: Some("any".into()),
            ..AclRules::default()
        };
        let x509 = [Acl::new(READ, "x509", "CN=a")];
        let sasl = [Acl::new(READ, "sasl", "a@REALM")];
        let any = [Acl::new(READ, "sasl", "any")];
        assert!(check(&x509, READ, &[("x509", "CN=root")], &rules));
        assert!(!check(&sasl, READ, &[("x509", "CN=root")], &rules));
        assert!(check(&sasl, READ, &[("sasl", "super")], &rules));
        assert!(check(&any, READ, &[("sasl", "b")], &rules));
        assert!(!check(&sasl, READ, &[("sasl", "b")], &rules));
    }

    #[test]
    fn who_may_not_change_a_list_sees_no_hash() {
        let list = [Acl::new(31, "digest", "bob:aGFzaA=="), Acl::new(1, "ip", "10.0.0.1")];
        let masked = mask_digests(&list);
        assert_eq!(masked, [Acl::new(31, "digest", "bob:x"), Acl::new(1, "ip", "10.0.0.1")]);
    }
}
