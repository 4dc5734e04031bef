//! Numbers and texts as the opcodes write them: two's complement, decimals, escapes.
use super::Fault;
use super::graph::Node;
use super::input::{shortened, utf8};

/// A little-endian two's complement of any length.
pub(super) fn long<'a>(bytes: &[u8]) -> Result<Node<'a>, Fault> {
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let fill = if negative { 0xff } else { 0 };
    let digits = bytes.len() - bytes.iter().rev().take_while(|&&byte| byte == fill).count();
    if digits > 16 {
        return Err(too_large(format_args!("{} bytes", bytes.len())));
    }
    let mut word = [fill; 16];
    word[..digits].copy_from_slice(&bytes[..digits]);
    match i128::from_le_bytes(word) {
        value if (value < 0) == negative => Ok(Node::Int(value)),
        _ if negative => Err(too_large("129 bits")),
        _ => Ok(Node::Huge(u128::from_le_bytes(word))),
    }
}

/// Decimal digits, with the `L` of a Python 2 `long` or without.
pub(super) fn decimal<'a>(line: &str) -> Result<Node<'a>, Fault> {
    let digits = line.strip_suffix('L').unwrap_or(line);
    if let Ok(value) = digits.parse() {
        return Ok(Node::Int(value));
    }
    if let Ok(value) = digits.parse() {
        return Ok(Node::Huge(value));
    }
    let all_digits = digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if all_digits && digits.len() > 38 {
        return Err(too_large(format_args!("{} decimal digits", digits.len())));
    }
    Err(Fault(format!("the pickle holds {:?} as an integer", shortened(line))))
}

fn too_large(size: impl std::fmt::Display) -> Fault {
    Fault(format!("the pickle holds an int of {size}, more than the 128 bits that this codec reads"))
}

/// A `str` of Python 2, which Python 3 reads as ASCII.
pub(super) fn ascii(bytes: &[u8]) -> Result<&str, Fault> {
    match bytes.is_ascii() {
        true => utf8(bytes),
        false => Err(Fault::new("the pickle holds a Python 2 str that is not ASCII")),
    }
}

/// The source text of a Python 2 `str`: quotes and backslash escapes.
pub(super) fn quoted(line: &[u8]) -> Result<String, Fault> {
    let bad = || Fault::new("the pickle holds a text with wrong quotes or escapes");
    let inner = match line {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => ascii(inner)?,
        _ => return Err(bad()),
    };
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(char) = rest.next() {
        text.push(match char {
            '\\' => escaped(&mut rest).filter(char::is_ascii).ok_or_else(bad)?,
            _ => char,
        });
    }
    Ok(text)
}

/// What comes after a backslash, of what Python 2 writes.
fn escaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    match rest.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'x' => hexadecimal(rest, 2),
        char @ ('\\' | '\'' | '"') => Some(char),
        _ => None,
    }
}

fn hexadecimal(rest: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..digits {
        code = (code << 4) | rest.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}

/// Python's `raw-unicode-escape`: Latin-1, with `\uXXXX` and `\UXXXXXXXX` for the rest.
pub(super) fn raw_unicode(line: &[u8]) -> Result<String, Fault> {
    let latin: String = line.iter().copied().map(char::from).collect();
    let mut text = String::with_capacity(latin.len());
    let mut rest = latin.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        let digits = match rest.next() {
            Some('u') => 4,
            Some('U') => 8,
            other => {
                text.push('\\');
                text.extend(other);
                continue;
            }
        };
        let code = hexadecimal(&mut rest, digits);
        text.push(code.ok_or_else(|| Fault::new("the pickle holds an escape that is no Unicode character"))?);
    }
    Ok(text)
}

/// The bytes that a text stands for where a protocol has no opcode for bytes.
pub(super) fn latin1(text: &str) -> Result<Vec<u8>, Fault> {
    let byte =
        |char| u8::try_from(char).map_err(|_| Fault::new("the pickle holds bytes that are no Latin-1"));
    text.chars().map(byte).collect()
}
