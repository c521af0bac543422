//! What a member is told at its start.
//!
//! Not here: files, ports and threads (`runtime`), defaults and bounds (`config`).

use std::rc::Rc;

use crate::acl::AclRules;
use crate::admin::{Environment, Whitelist};
use crate::auth::AuthOptions;
use crate::config::{Config, TreeOptions};
use crate::prep::PrepOptions;
use crate::session::SessionLimits;
use crate::tree::OwnerRules;

/// The configuration of a member, and what the machine gives it.
#[derive(Clone)]
pub struct MemberOptions {
    pub config: Rc<Config>,
    /// What `envi` says of the machine.
    pub environment: Rc<Environment>,
    /// Seeds hashes and whatever else must differ between lives.
    pub entropy: u64,
}

/// What of the configuration each request meets, looked up once.
pub(super) struct Rules {
    pub acl: AclRules,
    pub auth: AuthOptions,
    pub sessions: SessionLimits,
    pub whitelist: Whitelist,
    /// Requests under way above which a connection that waits for some of them is not read on.
    pub outstanding_max: usize,
}

impl MemberOptions {
    pub(super) fn rules(&self) -> Rules {
        let config = &self.config;
        let voters = config.quorum.as_ref().map_or(1, |quorum| quorum.ensemble.voters().count());
        let words = config.admin.whitelist.iter().map(String::as_str);
        // The mode was asked for, so its word is not asked for again.
        let proof = config.proof.then_some("proof");
        Rules {
            acl: AclRules { skip: config.acl.skips_checks, ..AclRules::default() },
            auth: AuthOptions {
                digest_enabled: config.acl.digest_scheme,
                super_digest: config.acl.super_digest.clone(),
                enforced_schemes: Vec::new(),
            },
            sessions: SessionLimits {
                timeout_ms_min: config.sessions.timeout_ms_min,
                timeout_ms_max: config.sessions.timeout_ms_max,
            },
            whitelist: Whitelist::new(words.chain(proof)),
            outstanding_max: config.throttle.outstanding_share(voters) as usize,
        }
    }

    /// How requests are judged.
    pub(super) fn prep(&self) -> PrepOptions {
        let config = &self.config;
        PrepOptions {
            rules: self.rules().acl,
            enforces_quota: config.tree.enforces_quotas,
            digest_enabled: config.tree.digests,
            ..PrepOptions::default()
        }
    }
}

/// How ephemeral owners are read.
pub(super) fn owner_rules(options: &TreeOptions) -> OwnerRules {
    OwnerRules { extended_types: options.extended_types, ..OwnerRules::default() }
}
