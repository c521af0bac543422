//! Which lists may be stored, and what they become on the way.
//!
//! Works on the bytes of the request and appends the bytes of the txn: the common list,
//! world:anyone, passes without an allocation.

use std::collections::BTreeSet;

use ringkeeper_engine::jute::Writer;
use ringkeeper_engine::limits::TXN_BYTES_MAX;

use crate::wire::{AclRef, Acls, AuthId, ErrorCode};

/// Up to here duplicates are looked for one by one; a hostile list is longer.
const FEW: usize = 16;

/// Which authentication schemes this server knows, `world` and `auth` apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schemes {
    pub digest: bool,
    pub ip: bool,
    pub x509: bool,
    pub sasl: bool,
    pub ensemble: bool,
}

impl Default for Schemes {
    /// Compat: what `ProviderRegistry` (3.9.5) knows without configuration.
    fn default() -> Self {
        Self { digest: true, ip: true, x509: false, sasl: false, ensemble: false }
    }
}

impl Schemes {
    /// Whether an id of this scheme says who somebody is, so that `auth` may become it.
    fn authenticates(self, scheme: &str) -> bool {
        match scheme {
            "digest" => self.digest,
            "x509" => self.x509,
            "sasl" => self.sasl,
            _ => false,
        }
    }

    /// Whether an entry may name this id.
    fn is_valid(self, scheme: &str, id: &str) -> bool {
        match scheme {
            "digest" => self.digest && is_digest_id(id),
            "ip" => self.ip && super::address::is_valid(id),
            "x509" => self.x509 && is_subject(id),
            "sasl" => self.sasl && is_principal(id),
            // Compat: any id will do (`EnsembleAuthenticationProvider.isValid`, 3.9.5).
            "ensemble" => self.ensemble,
            _ => false,
        }
    }
}

/// Appends the list that a request's list becomes, count first: without duplicates, `auth` replaced
/// by what the caller has proved. On a refusal `out` is as it was.
pub fn fixup(
    acls: &Acls<'_>,
    ids: &[AuthId],
    schemes: Schemes,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    if acls.is_for_anyone() {
        Writer(out).count(1);
        Writer(out).bytes(acls.bytes());
        return Ok(());
    }
    let start = out.len();
    let result = append(acls, ids, schemes, out);
    match result {
        Ok(count) if count > 0 => {
            let count = i32::try_from(count).expect("a list is shorter than its frame");
            Writer(out).patch_int(start, count);
            Ok(())
        }
        Ok(_) => {
            out.truncate(start);
            Err(ErrorCode::INVALID_ACL)
        }
        Err(refusal) => {
            out.truncate(start);
            Err(refusal)
        }
    }
}

fn append(
    acls: &Acls<'_>,
    ids: &[AuthId],
    schemes: Schemes,
    out: &mut Vec<u8>,
) -> Result<usize, ErrorCode> {
    let start = out.len();
    Writer(out).int(0);
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for (at, acl) in acls.iter().enumerate() {
        let duplicate = if acls.len() <= FEW {
            acls.iter().take(at).any(|before| before == acl)
        } else {
            !seen.insert((acl.perms, acl.scheme.clone(), acl.id.clone()))
        };
        if !duplicate {
            count += append_one(&acl, ids, schemes, out)?;
        }
        // `auth` may stand in a list many times, each for everything the caller has proved.
        if out.len() - start > TXN_BYTES_MAX {
            return Err(ErrorCode::BAD_ARGUMENTS);
        }
    }
    Ok(count)
}

/// Appends what one entry becomes; returns how many that are.
fn append_one(
    acl: &AclRef<'_>,
    ids: &[AuthId],
    schemes: Schemes,
    out: &mut Vec<u8>,
) -> Result<usize, ErrorCode> {
    let scheme = acl.scheme.as_deref().ok_or(ErrorCode::INVALID_ACL)?;
    if scheme == "auth" {
        let mut count = 0;
        for id in ids.iter().filter(|id| schemes.authenticates(&id.scheme)) {
            entry(acl.perms, &id.scheme, &id.id, out);
            count += 1;
        }
        return if count == 0 { Err(ErrorCode::INVALID_ACL) } else { Ok(count) };
    }
    // Compat: Java falls over a null id (`PrepRequestProcessor.fixupACL`, 3.9.5), hence this code.
    let id = acl.id.as_deref().ok_or(ErrorCode::MARSHALLING_ERROR)?;
    if (scheme, id) != ("world", "anyone") && !schemes.is_valid(scheme, id) {
        return Err(ErrorCode::INVALID_ACL);
    }
    entry(acl.perms, scheme, id, out);
    Ok(1)
}

fn entry(perms: i32, scheme: &str, id: &str, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.int(perms);
    writer.ustring(scheme);
    writer.ustring(id);
}

/// Compat: two parts around colons, where Java's `split` drops empty parts at the end and keeps
/// them at the beginning (`DigestAuthenticationProvider.isValid`, 3.9.5).
fn is_digest_id(id: &str) -> bool {
    let trimmed = id.trim_end_matches(':');
    trimmed.matches(':').count() == 1
}

/// A Kerberos principal, or anything without an at sign (`KerberosName`, 3.9.5).
fn is_principal(id: &str) -> bool {
    match id.split_once('@') {
        None => true,
        Some((name, realm)) => !realm.contains(['/', '@']) && name.matches('/').count() <= 1,
    }
}

/// A distinguished name, as far as its form goes: attributes with a type and a value. Java parses
/// it in full (`X500Principal`); what differs can match no certificate and harms nobody.
fn is_subject(id: &str) -> bool {
    id.split([',', '+']).all(|part| {
        let escaped = part.split_once('=').is_none_or(|(kind, _)| kind.trim().is_empty());
        !escaped || id.contains('\\') || id.contains('"')
    })
}

#[cfg(test)]
mod tests {
    use ringkeeper_engine::jute::Reader;

    use super::*;
    use crate::wire::Acl;

    const ALL: Schemes = Schemes { digest: true, ip: true, x509: true, sasl: true, ensemble: true };

    fn fixed(list: &[Acl], ids: &[AuthId], schemes: Schemes) -> Result<Vec<Acl>, ErrorCode> {
        let mut request = Vec::new();
        Acl::encode_list(list, &mut request);
        let acls = Acls::decode(&mut Reader::new(&request)).unwrap();
        let mut out = vec![9];
        let result = fixup(&acls, ids, schemes, &mut out);
        assert_eq!(out[0], 9);
        assert!(result.is_ok() || out.len() == 1, "a refusal leaves nothing behind");
        result.map(|()| Acl::decode_list(&mut Reader::new(&out[1..])).unwrap())
    }

    fn one(scheme: &str, id: &str) -> Result<Vec<Acl>, ErrorCode> {
        fixed(&[Acl::new(31, scheme, id)], &[], ALL)
    }

    #[test]
    fn duplicates_go_and_order_stays() {
        let a = Acl::new(31, "world", "anyone");
        let b = Acl::new(1, "ip", "10.0.0.1");
        let few = [a.clone(), b.clone(), a.clone()];
        assert_eq!(fixed(&few, &[], ALL), Ok(vec![a.clone(), b.clone()]));
        let many: Vec<Acl> =
            (0..40).map(|at| if at % 2 == 0 { a.clone() } else { b.clone() }).collect();
        assert_eq!(fixed(&many, &[], ALL), Ok(vec![a, b]));
    }

    #[test]
    fn auth_becomes_what_the_caller_has_proved() {
        let ids = [
            AuthId::new("ip", "1.2.3.4"),
            AuthId::new("digest", "a:x"),
            AuthId::new("digest", "b:y"),
            AuthId::new("super", ""),
        ];
        let auth = [Acl::new(5, "auth", "whatever")];
        let expected = vec![Acl::new(5, "digest", "a:x"), Acl::new(5, "digest", "b:y")];
        assert_eq!(fixed(&auth, &ids, ALL), Ok(expected));
        assert_eq!(fixed(&auth, &ids[..1], ALL), Err(ErrorCode::INVALID_ACL));
    }

    #[test]
    fn lists_that_may_not_be_stored_are_refused() {
        assert_eq!(fixed(&[], &[], ALL), Err(ErrorCode::INVALID_ACL));
        let bad = [
            ("world", "bob"),
            ("nobody", "x"),
            ("super", ""),
            ("ip", "1.2.3"),
            ("digest", "a"),
            ("digest", "a:"),
            ("digest", "a:b:c"),
            ("sasl", "a@b@c"),
            ("sasl", "a/b/c@d"),
            ("x509", "bob"),
        ];
        for (scheme, id) in bad {
            assert_eq!(one(scheme, id), Err(ErrorCode::INVALID_ACL), "{scheme}:{id}");
        }
        let good = [
            ("digest", ":b"),
            ("digest", "a:b"),
            ("sasl", "bob"),
            ("sasl", "a/b@c"),
            ("x509", "CN=a,O=b"),
            ("ensemble", "e"),
            ("ip", "::1/64"),
        ];
        for (scheme, id) in good {
            assert_eq!(one(scheme, id), Ok(vec![Acl::new(31, scheme, id)]), "{scheme}:{id}");
        }
        let unknown = fixed(&[Acl::new(31, "sasl", "bob")], &[], Schemes::default());
        assert_eq!(unknown, Err(ErrorCode::INVALID_ACL));
    }

    #[test]
    fn nulls_are_refused_with_the_codes_of_java() {
        let check = |scheme: Option<&str>, id: Option<&str>| {
            let mut request = Vec::new();
            let mut writer = Writer(&mut request);
            writer.count(1);
            writer.int(31);
            writer.ustring_or_null(scheme);
            writer.ustring_or_null(id);
            let acls = Acls::decode(&mut Reader::new(&request)).unwrap();
            fixup(&acls, &[AuthId::new("digest", "a:b")], ALL, &mut Vec::new())
        };
        assert_eq!(check(None, Some("x")), Err(ErrorCode::INVALID_ACL));
        assert_eq!(check(Some("world"), None), Err(ErrorCode::MARSHALLING_ERROR));
        assert_eq!(check(Some("auth"), None), Ok(()));
    }

    #[test]
    fn auth_many_times_over_is_refused_before_it_fills_memory() {
        let ids: Vec<_> = (0..64).map(|n| AuthId::new("digest", format!("{n:01000}:x"))).collect();
        let list: Vec<_> = (0..10_000).map(|perms| Acl::new(perms, "auth", "")).collect();
        let mut encoded = Vec::new();
        Acl::encode_list(&list, &mut encoded);
        let acls = Acls::decode(&mut Reader::new(&encoded)).unwrap();
        let mut out = Vec::new();
        let fixed = fixup(&acls, &ids, Schemes::default(), &mut out);
        assert_eq!(fixed, Err(ErrorCode::BAD_ARGUMENTS));
        assert!(out.is_empty() && out.capacity() < 4 * TXN_BYTES_MAX);
    }
}
