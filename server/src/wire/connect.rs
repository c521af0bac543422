//! The first frame each way: who the client is, and what session it gets.

use ringkeeper_engine::jute::{Reader, WireError, Writer};

use super::records::SessionId;

/// ```text
/// int protocolVersion | long lastZxidSeen | int timeOut ms | long sessionId | buffer passwd | [bool readOnly]
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectRequest<'a> {
    pub protocol_version: i32,
    pub last_zxid_seen: i64,
    pub timeout_ms: i32,
    pub session: SessionId,
    pub password: Option<&'a [u8]>,
    /// `None` from clients older than the field; they must not be sent it either.
    pub read_only: Option<bool>,
}

impl<'a> ConnectRequest<'a> {
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        Ok(Self {
            protocol_version: reader.int("protocolVersion")?,
            last_zxid_seen: reader.long("lastZxidSeen")?,
            timeout_ms: reader.int("timeOut")?,
            session: SessionId(reader.long("sessionId")?),
            password: reader.buffer("passwd")?,
            read_only: reader.bool("readOnly").ok(),
        })
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        writer.int(self.protocol_version);
        writer.long(self.last_zxid_seen);
        writer.int(self.timeout_ms);
        writer.long(self.session.0);
        writer.buffer(self.password);
        if let Some(read_only) = self.read_only {
            writer.bool(read_only);
        }
    }
}

/// ```text
/// int protocolVersion | int timeOut ms | long sessionId | buffer passwd (16) | [bool readOnly]
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectResponse {
    pub timeout_ms: i32,
    pub session: SessionId,
    pub password: [u8; 16],
    /// Whether this server serves reads only; `None` leaves the byte out, which is what a client
    /// that did not send it expects (ZOOKEEPER-4814).
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// The session is gone, or the password was wrong: the client sees an expiry.
    pub fn refusal(read_only: Option<bool>) -> Self {
        Self { timeout_ms: 0, session: SessionId::NONE, password: [0; 16], read_only }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        writer.int(0);
        writer.int(self.timeout_ms);
        writer.long(self.session.0);
        writer.buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            writer.bool(read_only);
        }
    }

    /// For clients and tools.
    pub fn decode(body: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        reader.int("protocolVersion")?;
        let timeout_ms = reader.int("timeOut")?;
        let session = SessionId(reader.long("sessionId")?);
        let password = reader.buffer("passwd")?.ok_or(WireError::Null { field: "passwd" })?;
        let length = i32::try_from(password.len()).unwrap_or(i32::MAX);
        let password = <[u8; 16]>::try_from(password)
            .map_err(|_| WireError::BadLength { field: "passwd", length })?;
        let read_only = reader.bool("readOnly").ok();
        Ok(Self { timeout_ms, session, password, read_only })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(read_only: Option<bool>) -> Vec<u8> {
        let mut out = Vec::new();
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 5,
            timeout_ms: 4000,
            session: SessionId(0),
            password: Some(&[0; 16]),
            read_only,
        }
        .encode(&mut out);
        out
    }

    #[test]
    fn a_client_without_the_read_only_byte_is_answered_without_it() {
        let old = request(None);
        assert_eq!(old.len(), 44);
        assert_eq!(ConnectRequest::decode(&old).unwrap().read_only, None);
        let new = request(Some(true));
        assert_eq!(new.len(), 45);
        assert_eq!(ConnectRequest::decode(&new).unwrap().read_only, Some(true));

        let mut out = Vec::new();
        ConnectResponse::refusal(None).encode(&mut out);
        assert_eq!(out.len(), 36);
        out.clear();
        ConnectResponse::refusal(Some(false)).encode(&mut out);
        assert_eq!(out.len(), 37);
        let back = ConnectResponse::decode(&out).unwrap();
        assert_eq!(back, ConnectResponse::refusal(Some(false)));
    }

    #[test]
    fn a_cut_request_is_an_error() {
        let whole = request(None);
        for cut in 0..whole.len() {
            assert!(ConnectRequest::decode(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }
}
