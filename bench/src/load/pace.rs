//! The open loop's timetable: when each request should be sent, whatever the server does.
//!
//! Latency counts from there, so a server that stalls is charged for all the requests that would
//! have come meanwhile, and not only for the one that met the stall.
//!
//! Not here: which connection a request goes to (`lane`).

/// Requests at equal distances from `begin_us` on.
pub(super) struct Pace {
    begin_us: u64,
    per_second: f64,
    issued: u64,
}

impl Pace {
    pub(super) fn new(begin_us: u64, per_second: f64) -> Self {
        Self { begin_us, per_second, issued: 0 }
    }

    /// When the next request should be sent.
    pub(super) fn next_us(&self) -> u64 {
        self.begin_us + (self.issued as f64 * 1e6 / self.per_second) as u64
    }

    /// That request has been given to a connection.
    pub(super) fn issue(&mut self) {
        self.issued += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_as_many_requests_as_the_rate_says() {
        let mut pace = Pace::new(5_000_000, 3000.0);
        let mut count = 0;
        while pace.next_us() < 6_000_000 {
            pace.issue();
            count += 1;
        }
        assert_eq!(count, 3000);
    }
}
