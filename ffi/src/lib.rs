//! Thicket's notebook for phones: the surface that Kotlin and Swift call.
//!
//! One object, [`Home`], is the way to everything; values are records and enums that mirror those of core, and [`ThicketError`] is the one error.
//! What it costs to call is a message to the thread that owns the home. No rule of the notebook lives here.
//!
//! Bindings are generated from the built library and never kept:
//!
//! ```text
//! cargo build -p thicket-ffi
//! cargo run -p thicket-ffi --example bindings -- kotlin target/debug/libthicket_ffi.so target/bindings
//! ```
//!
//! What they are made of stands, item by item, in `tests/it/snapshots`.

mod consent;
mod editor;
mod error;
mod feed;
mod home;
mod ids;
mod key_store;
mod notes;
mod people;
mod read;
mod status;
mod sync;
mod team;
mod text;
mod time;
mod words;

pub use self::consent::{
    ConsentAct, ConsentBound, ConsentShown, ConsentTerms, CoverageShown, DutyShown, EventShown, Granted,
    NewEvent, NotCovered, Recorded, SheetShown, WithdrawalTerms,
};
pub use self::editor::Editor;
pub use self::error::{InviteTrouble, OfflineWhy, TextTrouble, ThicketError};
pub use self::feed::{Feed, FeedChange, SyncOutcome};
pub use self::home::{Founding, Home};
pub use self::ids::{
    ChangeId, ConsentId, DeviceId, EncounterId, EventId, GenerationId, MemberId, NoteId, NotebookId,
    ParticipantId, PlaceId, SpaceId, TeamId,
};
pub use self::key_store::{FolderAsks, KeyStore, Unlock, folder_asks};
pub use self::notes::{About, NewNote, NoteEdit, Placed};
pub use self::people::{
    EncounterShown, NewEncounter, NewParticipant, NewPlace, ParticipantShown, PlaceShown,
};
pub use self::read::{
    AsideShown, ChangeShown, NoteRow, NoteShown, NotesPage, NotesWanted, SearchHit, StampShown, SubjectShown,
};
pub use self::status::{DeviceStatus, HeldNote, HomeStatus, SpaceStatus, Verification};
pub use self::sync::Invited;
pub use self::team::{MemberShown, NotebookShown, TeamShown};
pub use self::text::{Mark, MarkAt, ParsedText, Prose, Splice, Token, TokenAt, Unresolved};
pub use self::time::{Moment, Observed};
pub use self::words::{
    Activity, Actor, AgeBand, Channel, ConsentMode, ConsentScope, ConsentState, DamagedFile, DutyKind,
    Gender, HeldWhy, Hold, Layer, LifeChange, MemberRole, NoteField, NoteRole, PartOfDay, ParticipantKind,
    Provenance, Realm, SiteType, SpaceKind, StampStatus, Thing, UseLeft, WithdrawalReason,
};

uniffi::setup_scaffolding!();
