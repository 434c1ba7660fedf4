//! The grammar's classes of octets.

/// Passes over as many of `bytes` as are `left`, and says how many.
pub(super) fn skip(left: &mut u64, bytes: &[u8]) -> usize {
    let amount = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= amount as u64;
    amount
}
/// `SP` or `HTAB` (RFC 9110 section 5.6.3).
pub(super) fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `HTAB`, `SP`, `VCHAR` or `obs-text` (RFC 9110 section 5.5).
pub(super) fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

pub(super) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

/// `tchar` (RFC 9110 section 5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
