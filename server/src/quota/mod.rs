//! Quotas below /zookeeper/quota.
