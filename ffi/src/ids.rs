//! Names of things, as the apps hold them: hexadecimal digits, to be handed back and never to be read.

use std::fmt::Display;
use std::str::FromStr;

use crate::ThicketError;

macro_rules! ids {
    ($($(#[$attr:meta])* $name:ident)+) => { $(
        $(#[$attr])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub String);

        uniffi::custom_newtype!($name, String);

        impl $name {
            pub(crate) fn of(id: impl Display) -> Self {
                Self(id.to_string())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )+ };
}

ids! {
    /// Names a team.
    TeamId
    /// Names a member of the team.
    MemberId
    /// Names a device of a member.
    DeviceId
    /// Names a notebook.
    NotebookId
    /// Names a space: a unit of sync and of keys.
    SpaceId
    /// Names a person written about.
    ParticipantId
    /// Names a place that notes speak of by pseudonym.
    PlaceId
    /// Names an occasion.
    EncounterId
    /// Names a note through all its generations.
    NoteId
    /// Names one document of a note.
    GenerationId
    /// Names a consent: one participant, one activity, one scope.
    ConsentId
    /// Names one event of a consent.
    EventId
    /// Names one change of a note.
    ChangeId
}

/// Reads an id.
pub(crate) fn read<T: FromStr>(id: &(impl AsRef<str> + ?Sized)) -> Result<T, ThicketError> {
    id.as_ref().parse().map_err(|_| ThicketError::invalid("not an id"))
}

/// Reads several.
pub(crate) fn read_all<T: FromStr, C: FromIterator<T>>(ids: &[impl AsRef<str>]) -> Result<C, ThicketError> {
    ids.iter().map(read).collect()
}
