//! Numbers, dates and addresses as Java prints them.
//!
//! Not here: where they stand (`brief`, `dump`, `monitor`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// `Double.toString`: at least one digit after the point, and an exponent from 1e7 on and below
/// 1e-3.
pub(super) struct JavaDouble(pub(super) f64);

impl fmt::Display for JavaDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        if self.0 == 0.0 || (1e-3..1e7).contains(&magnitude) {
            return write!(f, "{:?}", self.0);
        }
        let text = format!("{:e}", self.0);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let point = if digits.contains('.') { "" } else { ".0" };
        write!(f, "{digits}{point}E{exponent}")
    }
}

/// `Date.toString` in UTC, `Fri Nov 20 15:21:05 UTC 2026`, of milliseconds since 1970.
pub struct JavaDate(pub i64);

impl fmt::Display for JavaDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let seconds = self.0.div_euclid(1000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        write!(
            f,
            "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
            WEEKDAYS[days.rem_euclid(7) as usize],
            MONTHS[month as usize - 1],
            second / 3600,
            second / 60 % 60,
            second % 60,
        )
    }
}

/// `DateFormat` short date and long time of the US, in UTC: `4/5/18, 2:15:58 PM UTC`, as the
/// tools that print txns have it.
pub struct JavaShortDate(pub i64);

impl fmt::Display for JavaShortDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, half) = (second / 3600, if second < 43_200 { "AM" } else { "PM" });
        let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
        let (minute, second) = (second / 60 % 60, second % 60);
        let year = year.rem_euclid(100);
        write!(f, "{month}/{day}/{year:02}, {hour}:{minute:02}:{second:02} {half} UTC")
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// `InetSocketAddress.toString` of an address without a name: `/127.0.0.1:41264`, and IPv6 in
/// brackets, every group written, none shortened.
pub(super) struct JavaAddress(pub(super) SocketAddr);

impl fmt::Display for JavaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.ip() {
            IpAddr::V4(ip) => write!(f, "/{ip}:{}", self.0.port()),
            IpAddr::V6(ip) => {
                let groups = ip.segments().map(|group| format!("{group:x}"));
                write!(f, "/[{}]:{}", groups.join(":"), self.0.port())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_printed_as_java_prints_them() {
        let check = |value, expected: &str| assert_eq!(JavaDouble(value).to_string(), expected);
        check(0.0, "0.0");
        check(0.5123, "0.5123");
        check(12.0, "12.0");
        check(0.001, "0.001");
        check(0.0001, "1.0E-4");
        check(9_999_999.5, "9999999.5");
        check(10_000_000.0, "1.0E7");
        check(12_345_678.9, "1.23456789E7");
    }

    #[test]
    fn dates_are_printed_as_java_prints_them() {
        let check = |ms, expected: &str| assert_eq!(JavaDate(ms).to_string(), expected);
        check(0, "Thu Jan 01 00:00:00 UTC 1970");
        check(1_795_188_065_000, "Fri Nov 20 15:21:05 UTC 2026");
        check(951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000");
        check(-1, "Wed Dec 31 23:59:59 UTC 1969");
    }

    #[test]
    fn short_dates_are_printed_as_java_prints_them() {
        let check = |ms, expected: &str| assert_eq!(JavaShortDate(ms).to_string(), expected);
        check(1_522_930_558_000, "4/5/18, 12:15:58 PM UTC");
        check(1_522_937_758_000, "4/5/18, 2:15:58 PM UTC");
        check(0, "1/1/70, 12:00:00 AM UTC");
    }

    #[test]
    fn addresses_are_printed_as_java_prints_them() {
        let check = |address: &str, expected: &str| {
            assert_eq!(JavaAddress(address.parse().expect("good")).to_string(), expected);
        };
        check("127.0.0.1:41264", "/127.0.0.1:41264");
        check("[::1]:41264", "/[0:0:0:0:0:0:0:1]:41264");
        check("[2001:db8::ff]:1", "/[2001:db8:0:0:0:0:0:ff]:1");
    }
}
