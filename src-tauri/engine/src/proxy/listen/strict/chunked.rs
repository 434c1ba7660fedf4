//! A chunked body, followed byte by byte outside its data.

use super::octets::{is_field_byte, is_token_byte, is_white_space, skip};
use super::{BODY_LIMIT, CHUNK_LINE_LIMIT, Refused, TRAILER_SECTION_LIMIT};

/// A chunked body (RFC 9112 section 7.1), followed byte by byte outside its data.
#[derive(Default)]
pub(super) struct Chunked {
    place: Place,
    size: u64,
    /// Octets of the chunk-size line, or of the trailer section.
    line: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    SizeStart,
    Size,
    ExtensionNameStart,
    ExtensionName,
    ExtensionValueStart,
    ExtensionValue,
    Quoted,
    QuotedPair,
    QuotedEnd,
    SizeLineFeed,
    Data,
    DataEnd,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
}

impl Chunked {
    /// Whether the next byte is data of a chunk.
    #[cfg(test)]
    pub(super) fn is_in_data(&self) -> bool {
        self.place == Place::Data
    }

    /// How many bytes were good, and whether the body ended with them.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> (usize, Result<bool, Refused>) {
        let mut read = 0;
        while let Some(&byte) = bytes.get(read) {
            if self.place == Place::Data {
                read += skip(&mut self.size, bytes.get(read..).unwrap_or_default());
                if self.size == 0 {
                    self.place = Place::DataEnd;
                }
                continue;
            }
            let last = self.place == Place::LastLineFeed;
            match self.step(byte) {
                Ok(place) => self.place = place,
                Err(refused) => return (read, Err(refused)),
            }
            read += 1;
            if last {
                return (read, Ok(true));
            }
        }
        (read, Ok(false))
    }

    fn step(&mut self, byte: u8) -> Result<Place, Refused> {
        self.line += 1;
        Ok(match (self.place, byte) {
            (Place::SizeStart | Place::Size, byte) if byte.is_ascii_hexdigit() => {
                self.add_digit(byte)?;
                Place::Size
            }
            (Place::Size | Place::ExtensionName | Place::ExtensionValue | Place::QuotedEnd, b'\r') => {
                Place::SizeLineFeed
            }
            (Place::Size | Place::ExtensionName | Place::ExtensionValue | Place::QuotedEnd, b';') => {
                Place::ExtensionNameStart
            }
            (Place::SizeStart | Place::Size, b'\n') => return Err(Refused::BareLineFeed),
            (Place::SizeStart | Place::Size, _) => return Err(Refused::ChunkSize),

            (place, _) if place.in_extension() && self.line > CHUNK_LINE_LIMIT => {
                return Err(Refused::ChunkExtension);
            }
            (Place::ExtensionNameStart | Place::ExtensionName, byte) if is_token_byte(byte) => Place::ExtensionName,
            (Place::ExtensionName, b'=') => Place::ExtensionValueStart,
            (Place::ExtensionValueStart, b'"') => Place::Quoted,
            (Place::ExtensionValueStart | Place::ExtensionValue, byte) if is_token_byte(byte) => Place::ExtensionValue,
            (Place::Quoted, b'"') => Place::QuotedEnd,
            (Place::Quoted, b'\\') => Place::QuotedPair,
            (Place::Quoted | Place::QuotedPair, byte) if is_field_byte(byte) => Place::Quoted,
            (place, b'\n') if place.in_extension() => return Err(Refused::BareLineFeed),
            (place, _) if place.in_extension() => return Err(Refused::ChunkExtension),

            (Place::SizeLineFeed, b'\n') => {
                self.line = 0;
                match self.size {
                    0 => Place::TrailerStart,
                    _ => Place::Data,
                }
            }
            (Place::DataEnd, b'\r') => Place::DataLineFeed,
            (Place::DataLineFeed, b'\n') => {
                self.line = 0;
                Place::SizeStart
            }
            (Place::Data | Place::DataEnd | Place::DataLineFeed, _) => {
                return Err(Refused::ChunkData);
            }

            (Place::LastLineFeed, b'\n') => Place::LastLineFeed,
            (Place::TrailerLineFeed, b'\n') => Place::TrailerStart,
            (Place::SizeLineFeed | Place::TrailerLineFeed | Place::LastLineFeed, _) => {
                return Err(Refused::BareCarriageReturn);
            }
            (_, _) if self.line > TRAILER_SECTION_LIMIT => return Err(Refused::TrailersTooLarge),
            (Place::TrailerStart, b'\r') => Place::LastLineFeed,
            (Place::TrailerStart, byte) if is_white_space(byte) => {
                return Err(Refused::LineFolding);
            }
            (Place::TrailerStart | Place::TrailerName, byte) if is_token_byte(byte) => Place::TrailerName,
            (Place::TrailerName, b':') => Place::TrailerValue,
            (Place::TrailerName, byte) if is_white_space(byte) => {
                return Err(Refused::WhitespaceBeforeColon);
            }
            (Place::TrailerValue, b'\r') => Place::TrailerLineFeed,
            (_, b'\n') => return Err(Refused::BareLineFeed),
            (Place::TrailerValue, byte) if is_field_byte(byte) => Place::TrailerValue,
            (Place::TrailerValue, _) => return Err(Refused::ControlCharacter),
            (_, _) => return Err(Refused::FieldName),
        })
    }

    fn add_digit(&mut self, digit: u8) -> Result<(), Refused> {
        // Leading zeros mean nothing, but nobody needs more digits than the number can have.
        if self.line > 16 {
            return Err(Refused::ChunkSize);
        }
        let digit = char::from(digit).to_digit(16).ok_or(Refused::ChunkSize)?;
        self.size = (self.size << 4) | u64::from(digit);
        if self.size > BODY_LIMIT {
            return Err(Refused::ChunkSize);
        }
        Ok(())
    }
}

impl Place {
    fn in_extension(self) -> bool {
        matches!(
            self,
            Self::ExtensionNameStart
                | Self::ExtensionName
                | Self::ExtensionValueStart
                | Self::ExtensionValue
                | Self::Quoted
                | Self::QuotedPair
                | Self::QuotedEnd
        )
    }
}
