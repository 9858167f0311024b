//! Closed lists of words, each with its number on the wire and its spelling in commands.
//!
//! A number and a spelling are never reused. A word that this version does not know is an error, even where the
//! field is optional: minicbor's own derive would read it as "absent", and an absent limit means "everything".

use std::fmt;

/// Text that is not a word of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownWord {
    /// The words that would have been understood.
    pub known: &'static [&'static str],
}

impl std::error::Error for UnknownWord {}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown word: one of {} is wanted", self.known.join(", "))
    }
}

/// Declares closed lists of words with their numbers, spellings, parsing, display and CBOR as the number.
///
/// `words! { /// … pub enum Realm { /// … Research = 0 "research", } }`
#[macro_export]
macro_rules! words {
    ($(
        $(#[$attr:meta])*
        pub enum $name:ident { $($(#[$word_attr:meta])* $word:ident = $index:literal $text:literal,)+ }
    )+) => { $(
        $(#[$attr])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$word_attr])* $word = $index,)+ }

        impl $name {
            /// Every word, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// The word as commands and files spell it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::words::UnknownWord> {
                let found = Self::ALL.iter().copied().find(|word| word.as_str() == text);
                found.ok_or($crate::words::UnknownWord { known: &[$($text),+] })
            }
        }

        impl<C> $crate::minicbor::Encode<C> for $name {
            fn encode<W: $crate::minicbor::encode::Write>(
                &self,
                e: &mut $crate::minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), $crate::minicbor::encode::Error<W::Error>> {
                e.u8(match self { $(Self::$word => $index),+ })?.ok()
            }
        }

        impl<'b, C> $crate::minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut $crate::minicbor::Decoder<'b>, _: &mut C) -> Result<Self, $crate::minicbor::decode::Error> {
                let at = d.position();
                match d.u8()? {
                    $($index => Ok(Self::$word),)+
                    _ => Err($crate::minicbor::decode::Error::message(concat!("an unknown ", stringify!($name))).at(at)),
                }
            }
        }
    )+ };
}
