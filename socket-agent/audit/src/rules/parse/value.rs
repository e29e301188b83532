//! Values of fields, from text.

use crate::names::{Arch, FAMILY, FILE_TYPE, FS_TYPE, MESSAGE_TYPE, nearest};
use crate::rules::{
    field::{Field, Kind},
    host::Host,
    perm::Perm,
    rule::Value,
};
use linux::{ERRNO, NameTable};

/// The value of a field.
///
/// # Errors
/// What is wrong with the text, and what to write.
pub(super) fn read(field: Field, text: &[u8], host: &Host<'_>) -> Result<Value, String> {
    if text.is_empty() {
        return Err(format!("{} has no value: write one behind the operator", shown(field)));
    }
    if field.is_text() {
        return Ok(Value::Text(text.to_vec()));
    }
    let text = std::str::from_utf8(text).map_err(|_| {
        format!(
            "the value of {} is no UTF-8: only paths and keys can hold other bytes",
            shown(field)
        )
    })?;
    number(field, text, host).map(Value::Number)
}

fn number(field: Field, text: &str, host: &Host<'_>) -> Result<u32, String> {
    match field.kind() {
        Some(Kind::User) => account(text, "user", |name| host.accounts.user(name)),
        Some(Kind::LoginUser) if text == "unset" => Ok(u32::MAX),
        Some(Kind::LoginUser) => account(text, "user", |name| host.accounts.user(name)),
        Some(Kind::Group) => account(text, "group", |name| host.accounts.group(name)),
        Some(Kind::Session) if text == "unset" => Ok(u32::MAX),
        Some(Kind::Session | Kind::Signed) => signed(text),
        Some(Kind::Exit) => exit(text),
        Some(Kind::Arch) => arch(text, host.arch).map(Arch::audit),
        Some(Kind::MessageType) => named(text, "record type", MESSAGE_TYPE),
        Some(Kind::FileType) => named(text, "file type", FILE_TYPE),
        Some(Kind::FsType) => named(text, "file system", FS_TYPE),
        Some(Kind::Family) => named(text, "address family", FAMILY),
        Some(Kind::Perm) => Perm::from_letters(text).map(Perm::bits),
        _ => unsigned(text),
    }
}

/// A user or group: a number, or a name.
fn account(text: &str, what: &str, find: impl Fn(&str) -> Option<u32>) -> Result<u32, String> {
    if looks_numeric(text) {
        return signed(text);
    }
    find(text).ok_or_else(|| {
        format!("there is no {what} `{text}` on this host: create it, or write its number")
    })
}

fn named(text: &str, what: &str, names: NameTable) -> Result<u32, String> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return unsigned(text);
    }
    let hint = || match nearest(text, names.names()) {
        Some(name) => format!("did you mean {name}?"),
        None => "write its number if it is newer than this program".to_owned(),
    };
    names.number(text).ok_or_else(|| format!("`{text}` is no {what}: {}", hint()))
}

/// What a call returned: `-13`, `-EACCES`; with `EACCES` the positive number, which no call returns
/// for an error.
fn exit(text: &str) -> Result<u32, String> {
    if looks_numeric(text) {
        return signed(text);
    }
    let (negative, name) = match text.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, text),
    };
    let number = ERRNO.number(name).ok_or_else(|| match nearest(name, ERRNO.names()) {
        Some(known) => format!("`{text}` is no error: did you mean -{known}?"),
        None => format!("`{text}` is no error: write a number, or a name as -EACCES"),
    })?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// `b64`, `b32`, a name, or the number in records.
pub(super) fn arch(text: &str, host: Option<Arch>) -> Result<Arch, String> {
    let unknown_host =
        || format!("{text} means nothing on this unknown architecture: write its name");
    match text.to_ascii_lowercase().as_str() {
        "b64" => {
            let host = host.ok_or_else(unknown_host)?;
            return host.wide().ok_or_else(|| {
                format!("{host} has no 64-bit calls: write arch=b32 or remove the rule")
            });
        }
        "b32" => {
            let host = host.ok_or_else(unknown_host)?;
            return host.narrow().ok_or_else(|| {
                format!("{host} has no 32-bit calls: write arch=b64 or remove the rule")
            });
        }
        _ => {}
    }
    let by_number = || {
        let hex = text.strip_prefix("0x").unwrap_or(text);
        let number = u32::from_str_radix(hex, 16).ok().and_then(Arch::from_audit);
        number.or_else(|| unsigned(text).ok().and_then(Arch::from_audit))
    };
    Arch::from_name(text).or_else(by_number).ok_or_else(|| {
        let known = Arch::names().chain(["b64", "b32"]);
        match nearest(text, known) {
            Some(name) => format!("`{text}` is no architecture: did you mean {name}?"),
            None => format!("`{text}` is no architecture: write b64, b32 or a name as x86_64"),
        }
    })
}

/// A number that is not negative: decimal, `0x` hexadecimal, or octal behind a 0.
pub(super) fn unsigned(text: &str) -> Result<u32, String> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (text.get(2..).unwrap_or_default(), 16),
        [b'0', _, ..] => (text.get(1..).unwrap_or_default(), 8),
        _ => (text, 10),
    };
    // The conversion would take a sign.
    let plain = digits.bytes().all(|digit| digit.is_ascii_alphanumeric());
    match u64::from_str_radix(digits, radix) {
        Ok(number) if plain => u32::try_from(number)
            .map_err(|_| format!("{text} is too large: at most {} is allowed", u32::MAX)),
        _ => {
            Err(format!("`{text}` is no number: write one such as 1000, 0x3e8 or, in octal, 01750"))
        }
    }
}

/// As [`unsigned`], or a negative number down to -2147483648.
fn signed(text: &str) -> Result<u32, String> {
    let Some(positive) = text.strip_prefix('-') else {
        return unsigned(text);
    };
    match unsigned(positive) {
        Ok(number) if number <= i32::MIN.unsigned_abs() => Ok(number.wrapping_neg()),
        Ok(_) => Err(format!("{text} is too small: at least {} is allowed", i32::MIN)),
        Err(_) => Err(format!("`{text}` is no number: write one such as -13")),
    }
}

/// Whether a value is a number and not a name.
fn looks_numeric(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).starts_with(|first: char| first.is_ascii_digit())
}

fn shown(field: Field) -> &'static str {
    field.name().unwrap_or("the field")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_as_c_does() {
        assert_eq!(unsigned("1000"), Ok(1000));
        assert_eq!(unsigned("0x1F"), Ok(31));
        assert_eq!(unsigned("017"), Ok(15));
        assert_eq!(unsigned("0"), Ok(0));
        assert_eq!(unsigned("4294967295"), Ok(u32::MAX));
        assert_eq!(signed("-1"), Ok(u32::MAX));
        assert_eq!(signed("-0x1"), Ok(u32::MAX));
        assert_eq!(signed("-2147483648"), Ok(0x8000_0000));
        for wrong in ["", "+1", "1k", "0x", "08", "4294967296", "99999999999999999999", "--1", "-"]
        {
            assert!(unsigned(wrong).is_err() && signed(wrong).is_err(), "{wrong}");
        }
        assert!(signed("-2147483649").is_err());
    }

    #[test]
    fn reads_errors_with_their_sign() {
        assert_eq!(exit("-EACCES").map(u32::cast_signed), Ok(-13));
        assert_eq!(exit("EACCES"), Ok(13));
        assert_eq!(exit("-13").map(u32::cast_signed), Ok(-13));
        assert!(exit("-EACESS").unwrap_err().contains("-EACCES"));
    }
}
