//! From text to numbers, booleans and sizes, collecting every fault on the way.
//!
//! Two tempers, both ZooKeeper's. A key that stands in the file and nowhere else is read strictly:
//! a bad value is a fault. A property is read leniently: a bad value is warned about and the
//! default stands, because Java's `Integer.getInteger` does the same and a `zoo.cfg` that starts
//! there must start here.
//!
//! Invariant: T1. A key that is read here is in the table of `keys` as one that is acted on, so
//! that no key is both used and called unused.
//!
//! Not here: which keys there are (`keys`), what they mean together (`resolve`, `members`).

use std::ops::RangeInclusive;

use super::fault::{ConfigError, Place, Warning};
use super::keys::{self, Form, Treatment};
use super::raw::{RawConfig, Setting};

/// A `RawConfig` being read, with what was wrong so far.
pub(super) struct Typed<'a> {
    pub(super) raw: &'a RawConfig,
    pub(super) faults: Vec<ConfigError>,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Typed<'a> {
    pub(super) fn new(raw: &'a RawConfig) -> Self {
        Self { raw, faults: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn setting(&self, key: &str, form: Form) -> Option<&'a Setting> {
        let known = keys::find(key, form);
        assert!(known.is_some_and(|known| known.treatment == Treatment::Acted), "T1: {key}");
        self.raw.setting(key, form)
    }

    /// The text of a key, `None` where it is absent.
    pub(super) fn text(&self, key: &str, form: Form) -> Option<&'a str> {
        self.setting(key, form).map(|setting| setting.value.as_str())
    }

    /// A whole number of the file, within `range` or a fault.
    pub(super) fn number(&mut self, key: &str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let Some(setting) = self.setting(key, Form::File) else { return default };
        match parse_number(&setting.value) {
            Some(number) if range.contains(&number) => number,
            Some(_) => {
                let hint = format!("give one from {} to {}", range.start(), range.end());
                self.fault(setting, key, format!("{} is out of bounds", setting.value), hint);
                default
            }
            None => {
                let hint = "give a whole number, without a unit";
                self.fault(setting, key, format!("\"{}\" is not a number", setting.value), hint);
                default
            }
        }
    }

    /// A boolean of the file: `true` or `false` in any case, else a fault.
    pub(super) fn boolean(&mut self, key: &str, default: bool) -> bool {
        let Some(setting) = self.setting(key, Form::File) else { return default };
        match parse_boolean(&setting.value) {
            Some(boolean) => boolean,
            None => {
                let fault = invalid_option(key, &setting.value);
                self.faults.push(error(&setting.place, key, fault, None));
                default
            }
        }
    }

    /// A whole number of a property or flag; the default where it cannot be used.
    pub(super) fn lenient_number(
        &mut self,
        (key, form): (&str, Form),
        default: i64,
        range: RangeInclusive<i64>,
    ) -> i64 {
        let Some(setting) = self.setting(key, form) else { return default };
        match decode_number(&setting.value) {
            Some(number) if range.contains(&number) => number,
            parsed => {
                let wrong = match parsed {
                    Some(_) => format!("is not from {} to {}", range.start(), range.end()),
                    None => "is not a number".to_owned(),
                };
                let remark = format!("\"{}\" {wrong}; {default} is used", setting.value);
                self.warn(&setting.place, key, remark);
                default
            }
        }
    }

    /// A boolean of a property: what is not `true` is false. Compat: `Boolean.parseBoolean`.
    pub(super) fn lenient_boolean(&mut self, key: &str, default: bool) -> bool {
        self.choice(key, "true", "false", default)
    }

    /// A property that is one of two words.
    ///
    /// Compat: what is neither counts as the one that is not asked for: `skipACL=true` skips
    /// nothing, because ZooKeeper compares with `yes` (`ZooKeeperServer`, 3.9.5).
    pub(super) fn choice(&mut self, key: &str, yes: &str, no: &str, default: bool) -> bool {
        let Some(setting) = self.setting(key, Form::Property) else { return default };
        let (is_yes, is_no) =
            (setting.value.eq_ignore_ascii_case(yes), setting.value.eq_ignore_ascii_case(no));
        if !is_yes && !is_no {
            let remark =
                format!("\"{}\" counts as {no}, as in ZooKeeper; say {yes}", setting.value);
            self.warn(&setting.place, key, remark);
        }
        is_yes
    }

    /// A number of bytes of a key of our own, with a unit; a fault where it cannot be read.
    pub(super) fn bytes(&mut self, key: &str, default: u64, least: u64) -> u64 {
        let Some(setting) = self.setting(key, Form::Own) else { return default };
        match parse_bytes(&setting.value) {
            Some(bytes) if bytes >= least => bytes,
            Some(_) => {
                let hint = format!("give at least {}m", least >> 20);
                self.fault(setting, key, format!("{} is too little", setting.value), hint);
                default
            }
            None => {
                let fault = format!("\"{}\" is not a number of bytes", setting.value);
                self.fault(setting, key, fault, "write it like 500m, 20g or 21474836480");
                default
            }
        }
    }

    pub(super) fn fault(
        &mut self,
        setting: &Setting,
        key: &str,
        fault: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.faults.push(error(&setting.place, key, fault.into(), Some(hint.into())));
    }

    /// A fault of what is not there.
    pub(super) fn missing(&mut self, key: &str, fault: &str, hint: &str) {
        let place = Place::whole(&self.raw.file);
        self.faults.push(error(&place, key, fault.to_owned(), Some(hint.to_owned())));
    }

    pub(super) fn warn(&mut self, place: &Place, key: &str, remark: impl Into<String>) {
        let (place, key) = (place.clone(), key.to_owned());
        self.warnings.push(Warning { place, key, remark: remark.into() });
    }
}

fn error(place: &Place, key: &str, fault: String, hint: Option<String>) -> ConfigError {
    ConfigError { place: place.clone(), key: key.to_owned(), fault, hint }
}

/// ZooKeeper's words for a boolean that is none.
pub(super) fn invalid_option(key: &str, value: &str) -> String {
    format!("Invalid option {value} for {key}. Choose 'true' or 'false.'")
}

pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// As `Integer.parseInt`: a sign and decimal digits. Larger than an `i32` is no number there.
pub(super) fn parse_number(text: &str) -> Option<i64> {
    text.parse::<i32>().ok().map(i64::from)
}

/// As `Long.decode`: a sign, then decimal, `0x`, `#` or octal digits.
fn decode_number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = ["0x", "0X", "#"].iter().find_map(|prefix| digits.strip_prefix(prefix));
    let octal = digits.strip_prefix('0').filter(|rest| !rest.is_empty());
    let (digits, radix) = match (hex, octal) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) => (digits, 8),
        (None, None) => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// A number with k, m, g or t, all powers of 1024; `b` and `ib` may follow, in any case.
pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_java_s() {
        assert_eq!(parse_number("+5"), Some(5));
        assert_eq!(parse_number("-1"), Some(-1));
        assert_eq!(parse_number("2147483648"), None);
        assert_eq!(parse_number("0x10"), None);
        assert_eq!(parse_number(""), None);
        assert_eq!(decode_number("0x10"), Some(16));
        assert_eq!(decode_number("#ff"), Some(255));
        assert_eq!(decode_number("-010"), Some(-8));
        assert_eq!(decode_number("0"), Some(0));
        assert_eq!(decode_number("1e3"), None);
        assert_eq!(decode_number("--1"), None);
    }

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(parse_bytes("4096"), Some(4096));
        assert_eq!(parse_bytes("64k"), Some(64 << 10));
        assert_eq!(parse_bytes("2 GiB"), Some(2 << 30));
        assert_eq!(parse_bytes("1T"), Some(1 << 40));
        assert_eq!(parse_bytes("1.5g"), None);
        assert_eq!(parse_bytes("g"), None);
        assert_eq!(parse_bytes("99999999999t"), None);
    }
}
