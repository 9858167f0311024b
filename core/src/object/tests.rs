use proptest::prelude::*;
use thicket_protocol::ids::NotebookId;

use super::*;
use crate::consent::Bound;
use crate::field::*;
use crate::ids::{GenerationId, NoteId, PlaceId};
use crate::ledger::Ledger;
use crate::sheet::sha256;
use crate::stamp::{NoteFacts, People, Standing, assess};
use crate::vocabulary::*;

fn name(text: &str) -> Name {
    text.parse().expect("a name of the test")
}

fn participant(pseudonym: &str) -> Object {
    let (age, gender) = (Some(AgeBand::From75), Some(Gender::Woman));
    Object::Participant(Participant { id: SAM, pseudonym: name(pseudonym), kind: Kind::Client, age, gender })
}

fn stamp() -> Stamp {
    let ledger = ledger(&[sam(MON, agrees(1, &[]))]);
    let note = NoteFacts {
        realm: Realm::Research,
        people: People::These([(SAM, Role::Observed)].into()),
        occasion: observed(WED),
        standing: Standing::Private,
        also_needs: BTreeSet::new(),
        declared: [].into(),
    };
    let (id, generation) = (NoteId::from_bytes([3; 16]), GenerationId::from_bytes([4; 16]));
    assess(&ledger, &note).stamp(id, generation, Hash::ZERO).expect("covered")
}

fn events() -> Vec<Object> {
    let mut full = terms(1, Activity::Observation, Bound::Until("2027-01-31".parse().expect("a day")));
    full.language = Some(name("cy"));
    full.interpreter = Some(ABBY);
    full.controller = Some(name("The University"));
    full.retention = Some("2036-12-31".parse().expect("a day"));
    full.cut_off = Some("2027-06-30".parse().expect("a day"));
    let mut terms = withdrawal(Some("2026-11-25T14:00:00+01:00"), Hold::Erase);
    terms.reason = Some(WithdrawalReason::Privacy);
    let (activities, seen) = (Activities::one(Activity::Interview), BTreeSet::from([Hash::ZERO]));
    let acts = [
        Act::Given { consent: full, seen: seen.clone() },
        Act::RenewedGiven { consent: consent_id(1), bound: Bound::Encounter(encounter(1)), seen },
        Act::Refused { activities: activities.clone(), encounter: Some(encounter(1)) },
        Act::Withdrawn { activities: Activities::All, encounter: None, terms },
        Act::Invalidated { consent: consent_id(1) },
        Act::Requested { activities: activities.clone(), encounter: None },
        Act::RequestDeferred { activities, encounter: None },
        Act::Narrowed { consent: consent_id(1), remaining: BTreeSet::from([Scope::TakeNotes]) },
        Act::Changed { change: Change::Died },
    ];
    acts.into_iter().map(|act| sam(WED, act).object().envelope().what.clone()).collect()
}

/// One of every kind of object.
fn every_object() -> Vec<Object> {
    let (member, device) = (MEMBER, DeviceId::derive(&signer().public_key()));
    let place = PlaceId::from_bytes([6; 16]);
    let mut all = vec![
        Object::TeamName(name("Thicket")),
        Object::MemberName(MemberName { member, name: name("Ada") }),
        Object::DeviceName(DeviceName { device, member, name: name("Ada's phone") }),
        Object::NotebookName(NotebookName {
            notebook: NOTEBOOK,
            name: name("Link workers"),
            realm: Realm::Research,
        }),
        Object::Sheet(InfoSheet::first(NOTEBOOK)),
        participant("Sam"),
        Object::Identity(Identity {
            participant: SAM,
            real_name: name("Real Name"),
            contact: Some("by post".parse().expect("a passage")),
        }),
        Object::Place(Place { id: place, pseudonym: name("The hall"), site_type: SiteType::Community }),
        Object::PlaceIdentity(PlaceIdentity { place, real_name: name("A street") }),
        Object::Encounter(Encounter {
            id: encounter(1),
            activity: Activity::HomeVisit,
            place: Some(place),
            with: BTreeSet::from([SAM, ABBY]),
            at: time("2026-11-25/morning"),
        }),
        Object::Evidence(Evidence {
            participant: SAM,
            kind: EvidenceKind::PaperRef,
            sha256: sha256(b"locker 4"),
            held_at: Some("locker 4".parse().expect("a passage")),
        }),
        Object::Stamps(vec![stamp()]),
    ];
    all.extend(events());
    all
}

fn sign(what: Object) -> Result<SignedObject, ObjectError> {
    SignedObject::sign(envelope(what), &signer())
}

fn consent_event(act: Act, evidence: usize) -> Object {
    let (at, evidence) = (time(WED), some_hashes(evidence));
    let (actor, witness) = (Actor::Participant, None);
    Object::Consent(ConsentEvent { participant: SAM, at, actor, witness, evidence, act })
}

fn some_hashes(count: usize) -> BTreeSet<Hash> {
    (0..count).map(|at| sha256(&at.to_be_bytes())).collect()
}

/// Signs bytes that this version would not write.
fn signed_bytes(bytes: Vec<u8>) -> Result<SignedObject, ObjectError> {
    let signature = signer().sign(Purpose::Object, &object_hash(&bytes));
    SignedObject::read(bytes, signature)
}

#[test]
fn every_object_keeps_its_bytes_for_ever() {
    let line = |what: &Object| {
        let object = sign(what.clone()).expect("within the limits");
        let hex: String = object.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let kind = if let Object::Consent(event) = what {
            event.act.as_str().to_owned()
        } else {
            format!("{what:?}").split('(').next().unwrap_or_default().to_lowercase()
        };
        format!("{kind}\n  {hex}\n  hash {}\n  sig  {}\n", object.hash(), object.signature())
    };
    insta::assert_snapshot!(every_object().iter().map(line).collect::<String>());
}

#[test]
fn every_object_reads_back_and_verifies() {
    for what in every_object() {
        let object = sign(what).expect("within the limits");
        let read = SignedObject::from_wire(&object.to_wire()).expect("reads back");
        assert_eq!(read, object);
        assert!(read.verify(&SPACE, &signatory(true)).is_ok());
    }
}

#[test]
fn unknown_keys_survive_and_stay_signed() {
    let known = cbor::encode(&envelope(participant("Sam")));
    // One more entry in the participant's map, which is the last thing in the bytes, and one in the envelope's.
    let one = cbor::encode(&Participant {
        id: SAM,
        pseudonym: name("Sam"),
        kind: Kind::Client,
        age: Some(AgeBand::From75),
        gender: Some(Gender::Woman),
    });
    let start = known.len() - one.len();
    assert!(known.ends_with(&one));
    let mut newer = known.clone();
    *newer.get_mut(start).expect("the map's head") += 1;
    newer.extend([0x18, 0x63, 0x65]);
    newer.extend(b"later");
    *newer.first_mut().expect("the map's head") += 1;
    newer.extend([0x18, 0x63, 0x01]);

    let object = signed_bytes(newer.clone()).expect("readable in what is known");
    assert_eq!(object.envelope(), &envelope(participant("Sam")));
    let back = SignedObject::from_wire(&object.to_wire()).expect("reads back");
    assert_eq!(back.bytes(), newer);
    assert_ne!(back.hash(), object_hash(&known));
    assert!(back.verify(&SPACE, &signatory(false)).is_ok());
}

#[test]
fn a_flipped_byte_never_verifies() {
    for what in every_object() {
        let wire = sign(what).expect("within the limits").to_wire();
        for at in 0..wire.len() {
            let mut flipped = wire.clone();
            *flipped.get_mut(at).expect("within the bytes") ^= 1;
            if let Ok(object) = SignedObject::from_wire(&flipped) {
                assert!(object.verify(&SPACE, &signatory(true)).is_err(), "byte {at}");
            }
        }
    }
}

#[test]
fn an_object_is_for_its_space_and_from_its_device_and_member() {
    let object = sign(participant("Sam")).expect("within the limits");
    let check = |space, signatory| object.clone().verify(&space, &signatory).map(|_| ());
    let other = Signer::from_seed(&[8; 32]).public_key();
    assert_eq!(check(SPACE, signatory(false)), Ok(()));
    assert_eq!(check(SpaceId::from_bytes([0; 16]), signatory(false)), Err(UnverifiedError::Space));
    let by_device = Signatory { key: other, ..signatory(false) };
    assert_eq!(check(SPACE, by_device), Err(UnverifiedError::Signatory));
    let by_member = Signatory { member: MemberId::from_bytes([0; 16]), ..signatory(false) };
    assert_eq!(check(SPACE, by_member), Err(UnverifiedError::Signatory));
    let forged = SignedObject::sign(envelope(participant("Sam")), &Signer::from_seed(&[8; 32]));
    let forged = forged.expect("within the limits").verify(&SPACE, &signatory(true));
    assert_eq!(forged.map(|_| ()), Err(UnverifiedError::Signature(BadSignature)));
}

#[test]
fn only_a_custodian_corrects() {
    let no = sam(MON, refuses(Activity::Observation, None));
    let mut correction = terms(1, Activity::Observation, Bound::Notebook);
    correction.mode = Mode::Correction;
    let event = |seen: &[&Verified]| consent_event(given(correction.clone(), seen), 0);
    let verify = |custodian| {
        let object = sign(event(&[&no])).expect("within the limits");
        object.verify(&SPACE, &signatory(custodian)).map(|_| ())
    };
    assert_eq!(verify(true), Ok(()));
    assert_eq!(verify(false), Err(UnverifiedError::NotCustodian));
    assert!(matches!(sign(event(&[])), Err(ObjectError::Empty { list: "negatives seen" })));
}

#[test]
fn lists_end_at_their_limits() {
    let people = |count: usize| {
        let id = |at: usize| ParticipantId::from_bytes([u8::try_from(at).expect("few"); 16]);
        let with = (0..count).map(id).collect();
        Object::Encounter(Encounter {
            id: encounter(1),
            activity: Activity::Meeting,
            place: None,
            with,
            at: time(WED),
        })
    };
    let seen = |count| {
        consent_event(
            Act::RenewedGiven { consent: consent_id(1), bound: Bound::Notebook, seen: some_hashes(count) },
            0,
        )
    };
    let given_seen = |count| {
        let consent = terms(1, Activity::Observation, Bound::Notebook);
        consent_event(Act::Given { consent, seen: some_hashes(count) }, 0)
    };
    let evidence = |count| consent_event(Act::Changed { change: Change::Died }, count);
    let stamps = |count| Object::Stamps(vec![stamp(); count]);
    #[track_caller]
    fn ends(limit: usize, make: impl Fn(usize) -> Object) {
        assert!(sign(make(limit)).is_ok(), "at the limit");
        let past = sign(make(limit + 1));
        assert!(matches!(past, Err(ObjectError::TooMany { limit: named, .. }) if named == limit), "{past:?}");
        // What no version of ours would sign is not read either.
        let read = signed_bytes(cbor::encode(&envelope(make(limit + 1))));
        assert!(matches!(read, Err(ObjectError::TooMany { .. })));
    }
    ends(PEOPLE_MAX, people);
    ends(SEEN_MAX, seen);
    ends(SEEN_MAX, given_seen);
    ends(EVIDENCE_MAX, evidence);
    ends(STAMPS_MAX, stamps);
    let replacing =
        |count| SignedObject::sign(envelope(participant("Sam")).replacing(some_hashes(count)), &signer());
    assert!(replacing(REPLACES_MAX).is_ok());
    assert!(matches!(replacing(REPLACES_MAX + 1), Err(ObjectError::TooMany { .. })));
}

#[test]
fn bytes_end_at_their_limit() {
    let at_limit = signed_bytes(vec![0; OBJECT_BYTES_MAX]);
    assert!(matches!(at_limit, Err(ObjectError::Cbor(_))), "long enough to be looked at");
    let past = signed_bytes(vec![0; OBJECT_BYTES_MAX + 1]);
    assert!(matches!(past, Err(ObjectError::TooLong { bytes }) if bytes == OBJECT_BYTES_MAX + 1));
}

#[test]
fn a_negative_about_nothing_is_refused() {
    let none = || Activities::These(BTreeSet::new());
    let acts = [
        Act::Refused { activities: none(), encounter: None },
        Act::Withdrawn { activities: none(), encounter: None, terms: withdrawal(None, Hold::Keep) },
        Act::Requested { activities: none(), encounter: None },
    ];
    for act in acts {
        let empty = sign(consent_event(act, 0));
        assert!(matches!(empty, Err(ObjectError::Empty { list: "activities" })));
    }
    assert!(matches!(sign(Object::Stamps(Vec::new())), Err(ObjectError::Empty { .. })));
}

#[test]
fn an_object_of_another_version_or_suite_says_so() {
    for (version, suite) in [(VERSION + 1, SUITE), (VERSION, SUITE + 1)] {
        let newer = Envelope { version, suite, ..envelope(participant("Sam")) };
        let read = signed_bytes(cbor::encode(&newer));
        assert!(
            matches!(read, Err(ObjectError::Version { version: v, suite: s }) if (v, s) == (version, suite))
        );
    }
}

#[test]
fn what_tells_who_somebody_is_needs_their_key() {
    for what in every_object() {
        let named = matches!(what, Object::Participant(_) | Object::Identity(_) | Object::Evidence(_));
        assert_eq!(what.sealed_to(), named.then_some(SAM), "{what:?}");
    }
}

#[test]
fn the_current_value_is_the_one_that_nothing_replaces() {
    let old = signed(envelope(participant("Sam")));
    let new = signed(envelope(participant("Samuel")).replacing([hash(&old)]));
    let rival = signed(envelope(participant("Sammy")).replacing([hash(&old)]));
    let lower = if hash(&new) < hash(&rival) { "Samuel" } else { "Sammy" };
    let last = signed(envelope(participant("S.")).replacing([hash(&new), hash(&rival)]));
    // An object about somebody else replaces nothing of Sam's.
    let Object::Participant(one) = participant("Abby") else { panic!("a participant") };
    let elsewhere = Object::Participant(Participant { id: ABBY, ..one });
    let elsewhere = signed(envelope(elsewhere).replacing([hash(&last)]));
    let value = |ledger: &Ledger| {
        let register = ledger.participants().get(&SAM).expect("Sam is known").clone();
        (register.value().expect("a value").pseudonym.to_string(), register.heads().len())
    };
    let all = [old, new, rival, last, elsewhere];
    for order in permutations(all.get(..3).expect("three")) {
        assert_eq!(value(&ledger(order)), (lower.to_owned(), 2));
    }
    for order in permutations(&all) {
        assert_eq!(value(&ledger(order)), ("S.".to_owned(), 1));
    }
}

#[test]
fn an_object_is_new_once() {
    let mut ledger = Ledger::new();
    for what in every_object() {
        let object = signed(envelope(what));
        assert!(!ledger.holds(&hash(&object)));
        assert!(ledger.insert(&object));
        assert!(!ledger.insert(&object));
        assert!(ledger.holds(&hash(&object)));
    }
    assert_eq!(ledger.team_name().value().map(Name::as_str), Some("Thicket"));
    assert_eq!(ledger.stamps().len(), 1);
    assert_eq!(ledger.events(&SAM).len(), events().len());
    let sheet = InfoSheet::first(NotebookId::from_bytes([0x4b; 16]));
    assert!(ledger.sheets().contains_key(&(sheet.id, 1)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SignedObject::from_wire(&bytes);
        let _ = signed_bytes(bytes);
    }

    #[test]
    fn no_corruption_makes_the_reader_panic(which in 0..21_usize, at in any::<prop::sample::Index>(), to: u8) {
        let mut bytes = cbor::encode(&envelope(every_object().swap_remove(which)));
        let at = at.index(bytes.len());
        *bytes.get_mut(at).expect("within the bytes") = to;
        if let Ok(object) = signed_bytes(bytes) {
            let verified = Verified::stored(object);
            let ledger = ledger([&verified]);
            let _ = ledger.covered(&SAM, &observed(WED), &need());
            let _ = ledger.duties(&SAM);
            let _ = ledger.state(&SAM, Activity::Observation, time(WED).day());
        }
    }
}
