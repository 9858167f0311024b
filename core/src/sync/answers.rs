//! What comes: which answer belongs to which request, what a refusal means, and hints.

use thicket_protocol::frame::{self, Change, Refusal, Reply};

use super::session::Asked;
use super::{InviteTrouble, SyncError, SyncEvent, SyncSession};
use crate::home::Home;
use crate::time::Moment;

impl SyncSession {
    /// Takes a frame, and says whether it was an answer.
    pub(super) fn take_frame(
        &mut self,
        home: &mut Home,
        bytes: &[u8],
        now: Moment,
    ) -> Result<bool, SyncError> {
        let reply: Reply =
            frame::decode(bytes).map_err(|_| SyncError::Protocol("a frame that cannot be read"))?;
        match reply {
            Reply::Changed(change) => {
                self.take_hint(change);
                return Ok(false);
            }
            Reply::Draining => return Err(SyncError::Draining),
            Reply::Welcome { .. }
            | Reply::Gov { .. }
            | Reply::Appended(_)
            | Reply::Keys { .. }
            | Reply::Stored
            | Reply::Batches { .. }
            | Reply::Receipt(_)
            | Reply::Refused(_) => {}
        }
        let asked = self.asked.pop_front().ok_or(SyncError::Protocol("an answer to nothing"))?;
        self.take_answer(home, asked, reply, now).map(|()| true)
    }

    fn take_answer(
        &mut self,
        home: &mut Home,
        asked: Asked,
        reply: Reply,
        now: Moment,
    ) -> Result<(), SyncError> {
        match (asked, reply) {
            (asked, Reply::Refused(refusal)) => self.take_refusal(home, asked, refusal),
            (Asked::Hello, Reply::Welcome { tips, statements, seals }) => {
                self.take_welcome(home, &tips, statements, seals, now)
            }
            (Asked::Subscribe | Asked::Pack, Reply::Stored) => Ok(()),
            (Asked::Gov, Reply::Gov { entries, more }) => {
                if more {
                    self.asked.push_front(Asked::Gov);
                }
                self.take_entries(home, &entries, more, now)
            }
            (Asked::Offered(point), Reply::Appended(at)) if at == point => {
                Ok(home.log_is_on_server(at.seq..=at.seq)?)
            }
            (Asked::Entry(proposed), Reply::Appended(at)) if at == proposed.entry.point() => {
                self.take_appended(home, *proposed, now)
            }
            (Asked::Keys(asked), Reply::Keys { statements, seals, packs, more }) => {
                self.take_keys(home, asked, (&statements, &seals, &packs), more)
            }
            (Asked::Statement(said), Reply::Stored) => Ok(home.take_statements(&[said.bytes()])?),
            (Asked::Seal { to, mark }, Reply::Stored) => Ok(home.mark_sealed(to, mark)?),
            (Asked::Pull { space: wanted, with_own }, Reply::Batches { space, first, batches, more })
                if space == wanted =>
            {
                if more {
                    self.asked.push_front(Asked::Pull { space, with_own });
                }
                if with_own || !self.lost.contains(&space) {
                    self.take_batches(home, space, first, (&batches, with_own), more, now)?;
                }
                Ok(())
            }
            (Asked::Push(pushed), Reply::Receipt(bytes)) => self.take_receipt(home, &pushed, &bytes, now),
            (_, _) => Err(SyncError::Protocol("an answer of another kind")),
        }
    }

    fn take_refusal(&mut self, home: &mut Home, asked: Asked, refusal: Refusal) -> Result<(), SyncError> {
        if refusal == Refusal::Draining {
            return Err(SyncError::Draining);
        }
        match asked {
            Asked::Hello => self.take_turned_away(home, refusal),
            Asked::Entry(proposed) => self.take_lost(home, *proposed, refusal),
            Asked::Statement(_) if refusal == Refusal::StalePrekey => {
                (self.hints.keys, self.is_publishing_refused) = (true, true);
                Ok(())
            }
            // Somebody else was faster, or the device has gone on: whoever comes next sees to it.
            Asked::Seal { to, mark } => {
                self.seals_refused.insert((to, mark));
                Ok(())
            }
            Asked::Pack => self.take_refused_pack(refusal),
            Asked::Subscribe
            | Asked::Gov
            | Asked::Offered(_)
            | Asked::Statement(_)
            | Asked::Keys(_)
            | Asked::Pull { .. }
            | Asked::Push(_) => Err(SyncError::Refused(refusal)),
        }
    }

    /// Says why a hello was refused, or that an earlier connection has admitted this device and its answer was lost.
    fn take_turned_away(&mut self, home: &Home, refusal: Refusal) -> Result<(), SyncError> {
        let trouble = |trouble| Err(SyncError::Invite(trouble));
        match (refusal, self.code.is_some()) {
            (Refusal::SpentInvite, true) if home.team().is_some() => {
                self.end();
                self.tell(SyncEvent::Admitted);
                Ok(())
            }
            (Refusal::SpentInvite, true) => trouble(InviteTrouble::Spent),
            (Refusal::UnknownInvite | Refusal::UnknownTeam, true) => trouble(InviteTrouble::Unknown),
            (Refusal::NotAdmitted, false) if home.member().is_none() => trouble(InviteTrouble::Spent),
            (refusal, _) => Err(SyncError::Refused(refusal)),
        }
    }

    fn take_hint(&mut self, change: Change) {
        match change {
            Change::Gov => self.hints.gov = true,
            Change::Keys => self.hints.keys = true,
            Change::Space(space, pos) => self.raise_target(space, pos),
        }
    }
}
