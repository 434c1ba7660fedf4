//! The window's own labels, by key. The page asks for them once, so that it holds no words.

/// Every label.
#[must_use]
pub fn all() -> &'static [(&'static str, &'static str)] {
    &[]
}
