//! The closed lists of words of the field; what a list is stands in [`mod@thicket_protocol::words`].

pub use thicket_protocol::frame::Refusal;
pub use thicket_protocol::governance::{Admits, Realm, Role as MemberRole, SpaceKind};
use thicket_protocol::words;

words! {
    /// What somebody consents to: consent is per participant and activity, not per person.
    pub enum Activity {
        /// Being watched at work or in a setting; the activity of a note without an encounter.
        Observation = 0 "observation",
        /// Being accompanied for a day or more.
        Shadowing = 1 "shadowing",
        /// A visit to a home.
        HomeVisit = 2 "home_visit",
        /// A meeting.
        Meeting = 3 "meeting",
        /// A training or teaching session.
        Training = 4 "training",
        /// A conversation with questions, without a schedule.
        InformalInterview = 5 "informal_interview",
        /// An interview.
        Interview = 6 "interview",
        /// A focus group.
        FocusGroup = 7 "focus_group",
        /// A conversation by telephone.
        Telephone = 8 "telephone",
        /// An audio recording.
        Audio = 9 "audio",
        /// A photograph.
        Photograph = 10 "photograph",
        /// A document given or shown.
        Document = 11 "document",
    }

    /// What a participant is in the field.
    pub enum Kind {
        /// A link worker.
        LinkWorker = 0 "link_worker",
        /// A client of the service.
        Client = 1 "client",
        /// A relative or carer.
        Relative = 2 "relative",
        /// A doctor, nurse or other professional.
        Professional = 3 "professional",
        /// Other staff, such as a receptionist.
        Staff = 4 "staff",
        /// Somebody who happened to be there.
        Bystander = 5 "bystander",
        /// Anybody else.
        Other = 6 "other",
    }

    /// A coarse band of ages, in years.
    pub enum AgeBand {
        /// Under 18.
        Under18 = 0 "under_18",
        /// 18 to 29.
        From18 = 1 "18_29",
        /// 30 to 44.
        From30 = 2 "30_44",
        /// 45 to 59.
        From45 = 3 "45_59",
        /// 60 to 74.
        From60 = 4 "60_74",
        /// 75 and over.
        From75 = 5 "75_over",
    }

    /// Gender, as the person names it.
    pub enum Gender {
        /// A woman.
        Woman = 0 "woman",
        /// A man.
        Man = 1 "man",
        /// Non-binary.
        NonBinary = 2 "non_binary",
        /// Named otherwise.
        Other = 3 "other",
    }

    /// What sort of place it is; never where.
    pub enum SiteType {
        /// Somebody's home.
        Home = 0 "home",
        /// A surgery or clinic.
        Surgery = 1 "surgery",
        /// An office.
        Office = 2 "office",
        /// A community hall, café, park.
        Community = 3 "community",
        /// The telephone.
        Telephone = 4 "telephone",
        /// A video call or chat.
        Online = 5 "online",
        /// Anywhere else.
        Other = 6 "other",
    }

    /// Part of a day, when the minute is not known.
    pub enum PartOfDay {
        /// Before noon.
        Morning = 0 "morning",
        /// After noon.
        Afternoon = 1 "afternoon",
        /// After work.
        Evening = 2 "evening",
        /// When most people sleep.
        Night = 3 "night",
    }

    /// How an agreement was made.
    pub enum Mode {
        /// On a signed form.
        Written = 0 "written",
        /// By word of mouth.
        Verbal = 1 "verbal",
        /// By word of mouth, recorded.
        VerbalAudio = 2 "verbal_audio",
        /// By telephone.
        RemotePhone = 3 "remote_phone",
        /// By letter or message.
        RemoteWritten = 4 "remote_written",
        /// By somebody entitled to speak for the participant.
        Proxy = 5 "proxy",
        /// By a custodian, to answer a negative that was entered for the wrong person.
        Correction = 6 "correction",
    }

    /// What an agreement allows to be done.
    pub enum Scope {
        /// To write about the person.
        TakeNotes = 0 "take_notes",
        /// To quote the person word for word.
        VerbatimQuote = 1 "verbatim_quote",
        /// To record sound.
        RecordAudio = 2 "record_audio",
        /// To take photographs.
        Photograph = 3 "photograph",
        /// To link to other records of the person.
        LinkRecords = 4 "link_records",
        /// To let the note leave its author's private space.
        TeamShare = 5 "team_share",
        /// To publish under the pseudonym.
        PseudonymisedPublication = 6 "pseudonymised_publication",
        /// To keep in an archive.
        Archive = 7 "archive",
        /// To use in later studies.
        FutureUse = 8 "future_use",
    }

    /// The legal ground of processing, apart from ethical consent (GDPR, article 6(1)).
    pub enum LawfulBasis {
        /// Consent of the person.
        Consent = 0 "consent",
        /// A contract with the person.
        Contract = 1 "contract",
        /// A legal obligation: such a record may have to be restricted instead of erased.
        LegalObligation = 2 "legal_obligation",
        /// Vital interests.
        VitalInterest = 3 "vital_interest",
        /// A task in the public interest.
        PublicTask = 4 "public_task",
        /// Legitimate interests.
        LegitimateInterest = 5 "legitimate_interest",
    }

    /// Who acted in a consent event.
    pub enum Actor {
        /// The participant.
        Participant = 0 "participant",
        /// Somebody entitled to speak for the participant.
        Proxy = 1 "proxy",
        /// A fieldworker, on what was seen or heard.
        Researcher = 2 "researcher",
        /// An ethics committee or another overseer.
        Committee = 3 "committee",
    }

    /// The way a message came.
    pub enum Channel {
        /// Face to face.
        InPerson = 0 "in_person",
        /// By telephone.
        Telephone = 1 "telephone",
        /// By letter.
        Letter = 2 "letter",
        /// By email or text message.
        Message = 3 "message",
        /// Through somebody else.
        ThirdParty = 4 "third_party",
        /// Otherwise.
        Other = 5 "other",
    }

    /// What a withdrawal asks to be done with what is there.
    pub enum Hold {
        /// Keep it, and put it on hold.
        Keep = 0 "keep",
        /// Erase it.
        Erase = 1 "erase",
    }

    /// What use a withdrawal leaves.
    pub enum UseLeft {
        /// None.
        None = 0 "none",
        /// What has been analysed already.
        AlreadyAnalysed = 1 "already_analysed",
        /// Inside the notebook only.
        NotebookOnly = 2 "notebook_only",
    }

    /// Why somebody withdrew, if they said so; nobody has to.
    pub enum WithdrawalReason {
        /// A change of mind.
        ChangedMind = 0 "changed_mind",
        /// Worry about privacy.
        Privacy = 1 "privacy",
        /// Illness or distress.
        Distress = 2 "distress",
        /// No time.
        Time = 3 "time",
        /// A complaint about the study or service.
        Complaint = 4 "complaint",
        /// Something else.
        Other = 5 "other",
    }

    /// A change in a participant's life that ends what rested on the state before.
    pub enum Change {
        /// Capacity to decide was reached or regained: a proxy's consent ends.
        CapacityReached = 0 "capacity_reached",
        /// The age to decide was reached: a proxy's consent ends.
        AgeReached = 1 "age_reached",
        /// The participant died: no new note rests on an old consent.
        Died = 2 "died",
    }

    /// What a piece of evidence is.
    pub enum EvidenceKind {
        /// A picture of a signed form.
        FormImage = 0 "form_image",
        /// A clip of recorded sound.
        AudioClip = 1 "audio_clip",
        /// Paper that is kept somewhere.
        PaperRef = 2 "paper_ref",
        /// What a witness wrote.
        WitnessNote = 3 "witness_note",
        /// A letter, email or text message.
        Message = 4 "message",
    }

    /// A point that an information sheet states.
    pub enum Point {
        /// What it is for.
        Purpose = 0 "purpose",
        /// What will be done.
        Procedures = 1 "procedures",
        /// What might go wrong.
        Risks = 2 "risks",
        /// Who will see what.
        Confidentiality = 3 "confidentiality",
        /// Whom to ask.
        Contact = 4 "contact",
        /// How to withdraw.
        Withdrawal = 5 "withdrawal",
        /// Until when a withdrawal can still take things out.
        CutOff = 6 "cut_off",
        /// With whom it is shared.
        Sharing = 7 "sharing",
        /// How long it is kept.
        Retention = 8 "retention",
    }

    /// How a participant appears in a note.
    pub enum Role {
        /// Is quoted word for word.
        Speaker = 0 "speaker",
        /// Is described.
        Observed = 1 "observed",
        /// Is spoken of.
        Mentioned = 2 "mentioned",
        /// Happens to be there.
        Bystander = 3 "bystander",
    }

    /// A ground other than consent on which a note may rest.
    pub enum Lawful {
        /// Somebody may be in danger; the one ground of this list in research, and for custodians only.
        Safeguarding = 0 "safeguarding",
        /// A law demands the record.
        Statutory = 1 "statutory",
        /// Somebody's life is at stake.
        VitalInterest = 2 "vital_interest",
        /// Care of the person; the default of a service notebook.
        DirectCare = 3 "direct_care",
    }

    /// Why a ground other than consent is used, or why no consent is recorded.
    pub enum Because {
        /// The care of this person.
        Care = 0 "care",
        /// A risk of harm.
        RiskOfHarm = 1 "risk_of_harm",
        /// A legal duty.
        LegalDuty = 2 "legal_duty",
        /// An emergency.
        Emergency = 3 "emergency",
        /// There was no occasion to ask.
        NoOccasion = 4 "no_occasion",
        /// Too many people to ask each.
        Crowd = 5 "crowd",
        /// The person was gone before they could be asked.
        LeftBeforeAsked = 6 "left_before_asked",
        /// The person could not understand the question.
        CouldNotUnderstand = 7 "could_not_understand",
    }

    /// Where a note stands with regard to consent. The order is that of severity: the worst wins.
    pub enum StampStatus {
        /// Everybody in it is covered, or it is expressly about nobody.
        Valid = 0 "valid",
        /// Not said who is in it, or somebody was asked and has not answered.
        Pending = 1 "pending",
        /// Somebody was never asked for this.
        None = 2 "none",
        /// It was shared, and then something took the ground away.
        OnHold = 3 "on_hold",
        /// Somebody said no.
        Blocked = 4 "blocked",
    }

    /// How a consent stands, for display (W3C Data Privacy Vocabulary, consent status).
    pub enum State {
        /// Never asked.
        NeverAsked = 0 "never_asked",
        /// Asked, and not answered.
        Requested = 1 "requested",
        /// Asked, and put off.
        Deferred = 2 "deferred",
        /// Given.
        Given = 3 "given",
        /// Given, and renewed.
        RenewedGiven = 4 "renewed_given",
        /// Given, but it should be asked for anew.
        NeedsRenewal = 5 "needs_renewal",
        /// Given, and run out.
        Expired = 6 "expired",
        /// Given for a form or person that was the wrong one.
        Invalidated = 7 "invalidated",
        /// Refused.
        Refused = 8 "refused",
        /// Withdrawn by somebody other than the participant.
        Revoked = 9 "revoked",
        /// Withdrawn by the participant.
        Withdrawn = 10 "withdrawn",
    }

    /// What the team has to do. The order is that of strictness, the strictest first.
    pub enum DutyKind {
        /// Take out what is there.
        Erase = 0 "erase",
        /// Put on hold what is there.
        Hold = 1 "hold",
        /// Share nothing new, start no recording.
        Stop = 2 "stop",
    }
}

#[cfg(test)]
mod tests {
    use thicket_protocol::cbor;

    use super::*;

    #[test]
    fn every_word_reads_back_from_its_spelling_and_number() {
        for (number, activity) in Activity::ALL.iter().enumerate() {
            assert_eq!(activity.to_string().parse(), Ok(*activity));
            let bytes = cbor::encode(activity);
            assert_eq!(bytes, [u8::try_from(number).expect("a short list")]);
            assert_eq!(cbor::decode::<Activity>(&bytes).expect("decodes"), *activity);
        }
    }

    #[test]
    fn numbers_and_spellings_stay_for_ever() {
        let mut golden = String::new();
        macro_rules! list {
            ($($name:ident)+) => { $(
                for word in $name::ALL {
                    let number = cbor::encode(word).into_iter().map(u32::from).sum::<u32>();
                    golden.push_str(&format!("{} {number} {word}\n", stringify!($name)));
                    assert_eq!(word.as_str().parse(), Ok(*word));
                    assert_eq!(cbor::decode::<$name>(&cbor::encode(word)).expect("decodes"), *word);
                }
            )+ };
        }
        list!(Activity Realm Kind AgeBand Gender SiteType PartOfDay Mode Scope LawfulBasis Actor Channel Hold);
        list!(UseLeft WithdrawalReason Change EvidenceKind Point Role Lawful Because StampStatus State DutyKind);
        insta::assert_snapshot!("words", golden);
    }

    #[test]
    fn an_unknown_word_is_an_error_even_where_it_is_optional() {
        #[derive(Debug, minicbor::Encode, minicbor::Decode)]
        #[cbor(map)]
        struct Holder {
            #[n(0)]
            word: Option<Hold>,
        }
        assert_eq!(cbor::decode::<Holder>(&[0xa0]).expect("absent").word, None);
        assert!(cbor::decode::<Holder>(&[0xa1, 0x00, 0x02]).is_err());
        let error = "Keep".parse::<Hold>().expect_err("spelled otherwise");
        assert_eq!(error.to_string(), "unknown word: one of keep, erase is wanted");
    }

    #[test]
    fn the_worst_status_is_the_greatest_and_the_strictest_duty_the_first() {
        let worst = StampStatus::ALL.iter().max();
        assert_eq!(worst, Some(&StampStatus::Blocked));
        assert_eq!(DutyKind::ALL.iter().min(), Some(&DutyKind::Erase));
    }
}
