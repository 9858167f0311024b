//! The closed lists of words of the field, as the apps see them.
//!
//! What each word means is told in `thicket_core::vocabulary`; here they are only mirrored, and a new word there does not compile before it
//! stands here.

/// Declares a mirror of a list of words with both ways between them.
macro_rules! mirror {
    ($(
        $(#[$attr:meta])*
        $name:ident = $core:ty { $($(#[$word_attr:meta])* $word:ident,)+ }
    )+) => { $(
        $(#[$attr])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, uniffi::Enum)]
        pub enum $name { $($(#[$word_attr])* $word,)+ }

        impl From<$core> for $name {
            fn from(word: $core) -> Self {
                match word { $(<$core>::$word => Self::$word,)+ }
            }
        }

        impl From<$name> for $core {
            fn from(word: $name) -> Self {
                match word { $($name::$word => Self::$word,)+ }
            }
        }
    )+ };
}

mirror! {
    /// What somebody consents to: consent is per participant and activity, not per person.
    Activity = thicket_core::vocabulary::Activity {
        /// Being watched at work or in a setting; the activity of a note without an encounter.
        Observation,
        /// Being accompanied for a day or more.
        Shadowing,
        /// A visit to a home.
        HomeVisit,
        /// A meeting.
        Meeting,
        /// A training or teaching session.
        Training,
        /// A conversation with questions, without a schedule.
        InformalInterview,
        /// An interview.
        Interview,
        /// A focus group.
        FocusGroup,
        /// A conversation by telephone.
        Telephone,
        /// An audio recording.
        Audio,
        /// A photograph.
        Photograph,
        /// A document given or shown.
        Document,
    }

    /// What a participant is in the field.
    ParticipantKind = thicket_core::vocabulary::Kind {
        /// A link worker.
        LinkWorker,
        /// A client of the service.
        Client,
        /// A relative or carer.
        Relative,
        /// A doctor, nurse or other professional.
        Professional,
        /// Other staff, such as a receptionist.
        Staff,
        /// Somebody who happened to be there.
        Bystander,
        /// Anybody else.
        Other,
    }

    /// A coarse band of ages, in years.
    AgeBand = thicket_core::vocabulary::AgeBand {
        /// Under 18.
        Under18,
        /// 18 to 29.
        From18,
        /// 30 to 44.
        From30,
        /// 45 to 59.
        From45,
        /// 60 to 74.
        From60,
        /// 75 and over.
        From75,
    }

    /// Gender, as the person names it.
    Gender = thicket_core::vocabulary::Gender {
        /// A woman.
        Woman,
        /// A man.
        Man,
        /// Non-binary.
        NonBinary,
        /// Named otherwise.
        Other,
    }

    /// What sort of place it is; never where.
    SiteType = thicket_core::vocabulary::SiteType {
        /// Somebody's home.
        Home,
        /// A surgery or clinic.
        Surgery,
        /// An office.
        Office,
        /// A community hall, café, park.
        Community,
        /// The telephone.
        Telephone,
        /// A video call or chat.
        Online,
        /// Anywhere else.
        Other,
    }

    /// Part of a day, when the minute is not known.
    PartOfDay = thicket_core::vocabulary::PartOfDay {
        /// Before noon.
        Morning,
        /// After noon.
        Afternoon,
        /// After work.
        Evening,
        /// When most people sleep.
        Night,
    }

    /// How an agreement was made.
    ConsentMode = thicket_core::vocabulary::Mode {
        /// On a signed form.
        Written,
        /// By word of mouth.
        Verbal,
        /// By word of mouth, recorded.
        VerbalAudio,
        /// By telephone.
        RemotePhone,
        /// By letter or message.
        RemoteWritten,
        /// By somebody entitled to speak for the participant.
        Proxy,
        /// By a custodian, to answer a negative that was entered for the wrong person.
        Correction,
    }

    /// What an agreement allows to be done.
    ConsentScope = thicket_core::vocabulary::Scope {
        /// To write about the person.
        TakeNotes,
        /// To quote the person word for word.
        VerbatimQuote,
        /// To record sound.
        RecordAudio,
        /// To take photographs.
        Photograph,
        /// To link to other records of the person.
        LinkRecords,
        /// To let the note leave its author's private space.
        TeamShare,
        /// To publish under the pseudonym.
        PseudonymisedPublication,
        /// To keep in an archive.
        Archive,
        /// To use in later studies.
        FutureUse,
    }

    /// Who acted in a consent event.
    Actor = thicket_core::vocabulary::Actor {
        /// The participant.
        Participant,
        /// Somebody entitled to speak for the participant.
        Proxy,
        /// A fieldworker, on what was seen or heard.
        Researcher,
        /// An ethics committee or another overseer.
        Committee,
    }

    /// The way a message came.
    Channel = thicket_core::vocabulary::Channel {
        /// Face to face.
        InPerson,
        /// By telephone.
        Telephone,
        /// By letter.
        Letter,
        /// By email or text message.
        Message,
        /// Through somebody else.
        ThirdParty,
        /// Otherwise.
        Other,
    }

    /// What a withdrawal asks to be done with what is there.
    Hold = thicket_core::vocabulary::Hold {
        /// Keep it, and put it on hold.
        Keep,
        /// Erase it.
        Erase,
    }

    /// What use a withdrawal leaves.
    UseLeft = thicket_core::vocabulary::UseLeft {
        /// None.
        None,
        /// What has been analysed already.
        AlreadyAnalysed,
        /// Inside the notebook only.
        NotebookOnly,
    }

    /// Why somebody withdrew, if they said so; nobody has to.
    WithdrawalReason = thicket_core::vocabulary::WithdrawalReason {
        /// A change of mind.
        ChangedMind,
        /// Worry about privacy.
        Privacy,
        /// Illness or distress.
        Distress,
        /// No time.
        Time,
        /// A complaint about the study or service.
        Complaint,
        /// Something else.
        Other,
    }

    /// A change in a participant's life that ends what rested on the state before.
    LifeChange = thicket_core::vocabulary::Change {
        /// Capacity to decide was reached or regained: a proxy's consent ends.
        CapacityReached,
        /// The age to decide was reached: a proxy's consent ends.
        AgeReached,
        /// The participant died: no new note rests on an old consent.
        Died,
    }

    /// How a participant appears in a note.
    NoteRole = thicket_core::vocabulary::Role {
        /// Is quoted word for word.
        Speaker,
        /// Is described.
        Observed,
        /// Is spoken of.
        Mentioned,
        /// Happens to be there.
        Bystander,
    }

    /// Where a note stands with regard to consent. The order is that of severity: the worst wins.
    StampStatus = thicket_core::vocabulary::StampStatus {
        /// Everybody in it is covered, or it is expressly about nobody.
        Valid,
        /// Not said who is in it, or somebody was asked and has not answered.
        Pending,
        /// Somebody was never asked for this.
        None,
        /// It was shared, and then something took the ground away.
        OnHold,
        /// Somebody said no.
        Blocked,
    }

    /// How a consent stands, for display (W3C Data Privacy Vocabulary, consent status).
    ConsentState = thicket_core::vocabulary::State {
        /// Never asked.
        NeverAsked,
        /// Asked, and not answered.
        Requested,
        /// Asked, and put off.
        Deferred,
        /// Given.
        Given,
        /// Given, and renewed.
        RenewedGiven,
        /// Given, but it should be asked for anew.
        NeedsRenewal,
        /// Given, and run out.
        Expired,
        /// Given for a form or person that was the wrong one.
        Invalidated,
        /// Refused.
        Refused,
        /// Withdrawn by somebody other than the participant.
        Revoked,
        /// Withdrawn by the participant.
        Withdrawn,
    }

    /// What the team has to do. The order is that of strictness, the strictest first.
    DutyKind = thicket_core::vocabulary::DutyKind {
        /// Take out what is there.
        Erase,
        /// Put on hold what is there.
        Hold,
        /// Share nothing new, start no recording.
        Stop,
    }

    /// Which law and ethics a notebook lives under; realms share no keys, members or retention.
    Realm = thicket_core::vocabulary::Realm {
        /// A study.
        Research,
        /// A service caseload.
        Service,
    }

    /// What a member may do and read.
    MemberRole = thicket_core::vocabulary::MemberRole {
        /// Shadows and writes; holds every space of the team.
        Fieldworker,
        /// Keeps the team's keys, members and policies; the only role that may shred.
        Custodian,
        /// Reads the shared notes, never the identities.
        Analyst,
        /// Reads names of members and the consent ledger, no note.
        Auditor,
        /// Notes community encounters; holds every space of the team.
        LinkWorker,
    }

    /// What a space holds, and so who may hold its keys.
    SpaceKind = thicket_core::vocabulary::SpaceKind {
        /// Names of members, devices and notebooks; one a team.
        Roster,
        /// Participants, consents, events and stamps of a notebook.
        Ledger,
        /// Notes that everybody in them agreed to share.
        Shared,
        /// Real names, and raw material.
        Identities,
        /// Notes that only their author may read.
        Private,
    }

    /// What a passage is: what was done, what was said, or what the writer makes of it.
    Layer = thicket_core::text::Layer {
        /// What was done.
        Observation,
        /// What was said.
        Speech,
        /// What the writer makes of it.
        Interpretation,
    }

    /// How a text came to be.
    Provenance = thicket_core::view::Provenance {
        /// Typed by its author.
        Typed,
        /// Spoken and turned into text.
        Dictated,
        /// Copied from handwriting.
        DigitisedFromPaper,
    }

    /// A kind of thing that can be named.
    Thing = thicket_core::home::Thing {
        /// A home in the folder.
        Home,
        /// A notebook.
        Notebook,
        /// A participant.
        Participant,
        /// A place.
        Place,
        /// An encounter.
        Encounter,
        /// A note.
        Note,
        /// A consent.
        Consent,
        /// A member.
        Member,
        /// A device.
        Device,
        /// An invite.
        Invite,
    }

    /// A file of a home that is damaged.
    DamagedFile = thicket_core::home::DamagedFile {
        /// Both copies of the key file.
        Ring,
        /// The records.
        Core,
        /// The read model, in a way that making it again did not help.
        Derived,
    }

    /// One of the two texts of a note.
    NoteField = thicket_core::document::Field {
        /// The title: one line, no markers.
        Title,
        /// The text.
        Text,
    }

    /// Why a note is held back.
    HeldWhy = thicket_core::home::HeldWhy {
        /// It was not said who is in it.
        Unassessed,
        /// Somebody was asked and has not answered.
        Pending,
        /// Somebody was never asked.
        NoConsent,
        /// Somebody said no.
        Blocked,
        /// It was shared, and a withdrawal came.
        OnHold,
        /// It could go, and a known real name stands in its text: release it by hand.
        RealName,
        /// It could go, and the keys of the space have not come yet.
        WaitingForKeys,
        /// Its stamp has not come yet.
        StampMissing,
        /// It is a draft of a shared note.
        Draft,
        /// It was typed too late: the note was released or ended on another device before.
        LateEdit,
    }
}
