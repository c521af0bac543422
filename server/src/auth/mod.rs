//! What a connection has proved about itself.
//!
//! A connection begins with its address (`ip`) and may prove more with `auth` packets. The ids it
//! has go with each of its requests, as they are when the request is taken.
//!
//! Providers built in: `ip` and `digest`. `world`, `auth` and `super` are no providers: nobody can
//! prove to be them (`super` comes with the right digest). Ids of other schemes (`x509`, `sasl`)
//! are added by whoever speaks those protocols.
//!
//! Not here: what an id may do (`acl`), and that the packet is answered out of order (`frontend`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringkeeper_engine::jute::Writer;
use ringkeeper_engine::limits::AUTH_IDS_MAX;
use sha1::{Digest as _, Sha1};

use crate::wire::{AuthId, AuthPacket, ErrorCode};

/// All ids of one connection together, in bytes: they travel with each of its writes.
pub const AUTH_BYTES_MAX: usize = 64 << 10;

/// What of authentication an operator can choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthOptions {
    /// `zookeeper.DigestAuthenticationProvider.enabled`.
    pub digest_enabled: bool,
    /// `zookeeper.DigestAuthenticationProvider.superDigest`: who proves this is `super`.
    pub super_digest: Option<String>,
    /// `enforce.auth.schemes` where `enforce.auth.enabled`: nothing is served to a connection
    /// without an id of one of them. Empty serves everybody.
    pub enforced_schemes: Vec<String>,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self { digest_enabled: true, super_digest: None, enforced_schemes: Vec::new() }
    }
}

/// The ids of one connection: a set, in the order they were proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    ids: Vec<AuthId>,
}

impl Identity {
    /// A new connection from this address, in textual form.
    pub fn of_address(address: &str) -> Self {
        Self { ids: vec![AuthId::new("ip", address)] }
    }

    pub fn ids(&self) -> &[AuthId] {
        &self.ids
    }

    /// Adds what another protocol has proved. False where the connection has all it may have.
    pub fn add(&mut self, id: AuthId) -> bool {
        if self.ids.contains(&id) {
            return true;
        }
        let bytes: usize = self.ids.iter().map(|id| id.scheme.len() + id.id.len()).sum();
        let new = id.scheme.len() + id.id.len();
        if self.ids.len() >= AUTH_IDS_MAX || bytes + new > AUTH_BYTES_MAX {
            return false;
        }
        self.ids.push(id);
        true
    }

    /// An `auth` packet.
    ///
    /// # Errors
    /// `AUTH_FAILED`: it is answered with that, and the connection is closed.
    pub fn prove(
        &mut self,
        packet: &AuthPacket<'_>,
        options: &AuthOptions,
    ) -> Result<(), ErrorCode> {
        let is_proved = match packet.scheme.as_deref() {
            Some("digest") if options.digest_enabled => match packet.auth.as_deref() {
                Some(secret) => self.prove_digest(secret, options),
                None => false,
            },
            // The address is known already; ZooKeeper says yes all the same.
            Some("ip") => true,
            _ => false,
        };
        if is_proved { Ok(()) } else { Err(ErrorCode::AUTH_FAILED) }
    }

    fn prove_digest(&mut self, secret: &str, options: &AuthOptions) -> bool {
        let id = digest_id(secret);
        let is_super = options.super_digest.as_deref() == Some(id.as_str());
        (!is_super || self.add(AuthId::new("super", ""))) && self.add(AuthId::new("digest", id))
    }

    /// Whether requests other than `auth` and `sasl` are served (`enforce.auth`).
    pub fn is_admitted(&self, options: &AuthOptions) -> bool {
        options.enforced_schemes.is_empty()
            || self.ids.iter().any(|id| options.enforced_schemes.contains(&id.scheme))
    }
}

/// Who proves `user:password`: the user, and the digest of the whole.
///
/// Compat: what has no colon is user and secret at once; `a:b:c` is the user `a`
/// (`DigestAuthenticationProvider.generateDigest`, 3.9.5).
pub fn digest_id(secret: &str) -> String {
    format!("{}:{}", user_of(secret), BASE64.encode(Sha1::digest(secret.as_bytes())))
}

fn user_of(id: &str) -> &str {
    id.split(':').next().unwrap_or_default()
}

/// The body of `whoAmI`: a scheme and a name for each id, without the secrets.
pub fn encode_client_infos(ids: &[AuthId], options: &AuthOptions, out: &mut Vec<u8>) {
    let mut writer = Writer(out);
    writer.count(ids.len());
    for id in ids {
        writer.ustring(&id.scheme);
        writer.ustring(match id.scheme.as_str() {
            "digest" if options.digest_enabled => user_of(&id.id),
            "ip" | "x509" | "sasl" => &id.id,
            _ => "",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn packet<'a>(scheme: Option<&'a str>, auth: Option<&'a str>) -> AuthPacket<'a> {
        AuthPacket { scheme: scheme.map(Cow::Borrowed), auth: auth.map(Cow::Borrowed) }
    }

    /// The ids beside the address after one packet, `None` where it was refused.
    fn check(options: &AuthOptions, scheme: &str, auth: Option<&str>) -> Option<Vec<String>> {
        let mut identity = Identity::of_address("10.0.0.1");
        identity.prove(&packet(Some(scheme), auth), options).ok()?;
        Some(identity.ids()[1..].iter().map(|id| format!("{}:{}", id.scheme, id.id)).collect())
    }

    #[test]
    fn a_digest_is_javas() {
        // The example of ZooKeeper's administrator's guide.
        assert_eq!(digest_id("super:test"), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
        assert!(digest_id("nocolon").starts_with("nocolon:"));
        assert!(digest_id("a:b:c").starts_with("a:"));
        assert!(digest_id("").starts_with(':'));
    }

    #[test]
    fn only_providers_prove() {
        let options = AuthOptions::default();
        assert_eq!(check(&options, "ip", None), Some(vec![]));
        assert_eq!(check(&options, "digest", None), None);
        let user = format!("digest:{}", digest_id("u:p"));
        assert_eq!(check(&options, "digest", Some("u:p")), Some(vec![user]));
        for scheme in ["world", "auth", "super", "sasl", "x509", "", "nonsense"] {
            assert_eq!(check(&options, scheme, Some("anyone")), None, "{scheme}");
        }
        let without = AuthOptions { digest_enabled: false, ..options.clone() };
        assert_eq!(check(&without, "digest", Some("u:p")), None);
        let mut identity = Identity::of_address("10.0.0.1");
        assert!(identity.prove(&packet(None, None), &options).is_err());
    }

    #[test]
    fn the_super_digest_makes_super() {
        let super_digest = Some(digest_id("root:secret"));
        let options = AuthOptions { super_digest, ..AuthOptions::default() };
        let ids = check(&options, "digest", Some("root:secret")).unwrap();
        assert!(ids.contains(&"super:".to_owned()), "{ids:?}");
        assert_eq!(check(&options, "digest", Some("root:wrong")).unwrap().len(), 1);
    }

    #[test]
    fn the_set_of_ids_is_a_set_and_bounded() {
        let options = AuthOptions::default();
        let mut identity = Identity::of_address("10.0.0.1");
        for _ in 0..3 {
            assert_eq!(identity.prove(&packet(Some("digest"), Some("u:p")), &options), Ok(()));
        }
        assert_eq!(identity.ids().len(), 2);
        let flood = (0..1000).filter(|n| {
            let secret = format!("u{n}:p");
            identity.prove(&packet(Some("digest"), Some(&secret)), &options).is_ok()
        });
        assert_eq!(flood.count(), AUTH_IDS_MAX - 2);
        assert_eq!(identity.ids().len(), AUTH_IDS_MAX);
        let long = "u".repeat(AUTH_BYTES_MAX);
        assert_eq!(check(&options, "digest", Some(&long)), None);
    }

    #[test]
    fn enforced_schemes_keep_others_out() {
        let enforced_schemes = vec!["digest".to_owned()];
        let options = AuthOptions { enforced_schemes, ..AuthOptions::default() };
        let mut identity = Identity::of_address("10.0.0.1");
        assert!(!identity.is_admitted(&options));
        assert!(identity.is_admitted(&AuthOptions::default()));
        identity.prove(&packet(Some("digest"), Some("u:p")), &options).unwrap();
        assert!(identity.is_admitted(&options));
    }

    #[test]
    fn who_am_i_names_without_secrets() {
        let options = AuthOptions::default();
        let ids = [
            AuthId::new("ip", "10.0.0.1"),
            AuthId::new("digest", "u:hash="),
            AuthId::new("super", ""),
            AuthId::new("other", "x"),
        ];
        let mut out = Vec::new();
        encode_client_infos(&ids, &options, &mut out);
        let mut expected = Vec::new();
        let mut writer = Writer(&mut expected);
        writer.count(4);
        for text in ["ip", "10.0.0.1", "digest", "u", "super", "", "other", ""] {
            writer.ustring(text);
        }
        assert_eq!(out, expected);
    }
}
