//! Which protocol a flow speaks: told by its octets, and never by how they were cut into segments.
//!
//! Each direction is searched place by place for a run of messages, one behind the other, that is
//! no accident. How much that takes depends on where it stands: where a stream begins a message
//! begins, while in the middle of other data anything turns up sooner or later. A port that is
//! registered for a protocol lowers what it takes, and is no proof.
//!
//! ```text
//!  passed over │ message │ message │ what there is of the next
//! ─────────────┴─────────┴─────────┴───────────────────────────
//!              place: evidence + evidence … enough?
//! ```
//!
//! What an octet costs is bounded, whatever it is made to look like. Most places are ruled out by
//! their octet, and nearly all others at a glance. The work that is spent on the rest is a debt,
//! which the octets passed over pay off, one unit each; where it exceeds [`work::LENT`], places are
//! passed over unseen until it is paid. Which are seen follows from the octets alone.

use crate::flow::Side;
use crate::protocol::{Likeness, Protocol, REGISTRY, Role};

/// Octets from a place on that a decision may take: the longest run of messages, and what is kept
/// of a direction meanwhile. Room for a head of HTTP as long as servers take it, 16 KiB, and for the
/// message behind it that tells what it led to.
pub(super) const MAX_KEPT: usize = 17 * 1024;

/// So many messages are looked at in one run: those that prove something are enough by then.
const MAX_RUN: u32 = 8;

/// Octets of a flow seen from its start that are searched in each direction: room for the handshake
/// of a proxy in front.
const FROM_THE_START: u32 = 1024;
/// The same of a flow that had begun, or whose port promises something: a place between two
/// messages comes, though perhaps not before the end of a long one.
const FROM_THE_MIDDLE: u32 = 64 * 1024;

/// Evidence in bits that a run takes, as [`Likeness`] counts it.
mod enough {
    /// Where a stream begins, and the port promises it: one message.
    pub(super) const AT_THE_START_WITH_PORT: u32 = 12;
    /// Where a stream begins. There is one such place in a direction.
    pub(super) const AT_THE_START: u32 = 24;
    /// Anywhere, where the port promises it.
    pub(super) const WITH_PORT: u32 = 32;
    /// Anywhere. Among a million flows there are 2^36 such places, and what they hold is not as
    /// random as the estimates have it.
    pub(super) const ANYWHERE: u32 = 64;
}

/// What looks cost, in units that an octet passed over pays off.
mod work {
    use crate::protocol::{Likeness, Protocol};

    /// What a direction may owe, so that one which offers much at first is not passed over unseen
    /// at once.
    pub(super) const LENT: u32 = 1024;
    /// Of a look.
    const LOOK: u32 = 16;
    /// Of each octet that is looked at.
    const OCTET: u32 = 2;

    /// No look costs more: the longest is of 512 octets, read in steps of which each is four times
    /// the last.
    #[cfg(test)]
    pub(super) const MOST: u32 = LOOK + OCTET * 1024;

    /// Of a look that had this result. It does not depend on how many octets there were.
    pub(super) fn of(likeness: Likeness, protocol: &Protocol) -> u32 {
        let (least, most) = (*protocol.look.start(), *protocol.look.end());
        let octets = match likeness {
            Likeness::No => return 0,
            Likeness::More(_) => least,
            Likeness::Refuted(octets) => octets,
            Likeness::Message { length, .. } | Likeness::Flawed { length, .. } => length,
        };
        LOOK + OCTET * octets.clamp(least, most) as u32
    }
}

/// What is known of a flow besides its octets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// It had begun before we saw it.
    pub(super) joined: bool,
    /// The protocol that its server's port is registered for.
    pub(super) promised: Option<&'static Protocol>,
}

/// The search in one direction.
#[derive(Debug, Clone, Copy, Default)]
struct Search {
    /// Octets passed over.
    passed: u32,
    /// Work that they have not paid off.
    debt: u32,
    /// Whether octets were lost.
    lost: bool,
}

/// The search for the protocol of a flow.
#[derive(Debug, Default)]
pub(super) struct Detection {
    /// By the [`Side`] that sends.
    searches: [Search; 2],
    /// Whether the promise of the port was found broken.
    broken: bool,
}

/// What a look at octets of a direction gave.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// So many octets are passed over, and it takes so many from there on to go on; 0 if all are
    /// passed.
    Open(usize, usize),
    /// Messages of this protocol begin after so many octets.
    Found(usize, Found),
}

/// A protocol, and which end the sender is where the messages give it away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) protocol: &'static Protocol,
    pub(super) sender: Option<Role>,
}

/// What a place in a stream is.
enum Place {
    /// The start of messages.
    Found(Found),
    /// Not to be told before so many octets are there.
    Open(usize),
    /// Nothing; to tell took so much work.
    Nothing(u32),
}

/// A run of messages.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    messages: u32,
    evidence: u32,
    work: u32,
    sender: Option<Role>,
    end: Option<End>,
}

/// How a run ends that is not enough.
#[derive(Debug, Clone, Copy)]
enum End {
    /// So many octets, from its start on, could tell more.
    Open(usize),
    /// Behind its last message there is none.
    Broken,
}

impl Detection {
    /// Looks at octets that `side` sent.
    pub(super) fn look(&mut self, side: Side, bytes: &[u8], terms: Terms) -> Look {
        let search = &mut self.searches[side.index()];
        let mut at = 0;
        while let Some(place) = search.next(bytes.get(at..).unwrap_or_default()) {
            search.pass(place);
            at += place;
            if search.is_over(terms) {
                break;
            }
            match search.place(bytes.get(at..).unwrap_or_default(), terms) {
                Place::Found(found) => return Look::Found(at, found),
                Place::Open(wanted) => return Look::Open(at, wanted),
                Place::Nothing(work) => {
                    search.pass(1);
                    search.debt += work;
                    at += 1;
                }
            }
        }
        search.pass(bytes.len() - at);
        Look::Open(bytes.len(), 0)
    }

    /// Octets that `side` sent are lost: what comes is somewhere in the middle.
    pub(super) fn gap(&mut self, side: Side) {
        self.searches[side.index()].lost = true;
    }

    /// Whether octets were lost.
    pub(super) fn has_lost_any(&self) -> bool {
        self.searches.iter().any(|search| search.lost)
    }

    /// Whether octets were passed over: messages may have been among them.
    pub(super) fn has_passed_any(&self) -> bool {
        self.searches.iter().any(|search| search.passed > 0 || search.lost)
    }

    /// The protocol that the flow was to speak, once it is plain that it does not: a stream begins
    /// with something else, or so much of it is none that no message could be so long.
    pub(super) fn broken_promise(&mut self, side: Side, terms: Terms) -> Option<&'static Protocol> {
        let promised = terms.promised.filter(|_| !self.broken)?;
        let search = &self.searches[side.index()];
        let most = FROM_THE_MIDDLE.max(promised.max_kept as u32);
        self.broken = search.passed >= if terms.joined || search.lost { most } else { 1 };
        self.broken.then_some(promised)
    }

    /// Whether neither direction is searched any more.
    pub(super) fn is_over(&self, terms: Terms) -> bool {
        self.searches.iter().all(|search| search.is_over(terms))
    }

    /// Decides at the end of the flow with what there is: `kept` octets by side.
    pub(super) fn conclude(&self, kept: [&[u8]; 2], terms: Terms) -> Option<(Side, Found)> {
        REGISTRY.iter().find_map(|protocol| {
            let is_promised = terms.promises(protocol);
            let mut best: Option<(Side, Run)> = None;
            let mut evidence = 0;
            for side in [Side::Lower, Side::Upper] {
                let search = self.searches[side.index()];
                let Some(run) = search.last_run(kept[side.index()], protocol, terms) else {
                    continue;
                };
                evidence += run.evidence;
                if best.is_none_or(|(_, best)| run.evidence > best.evidence) {
                    best = Some((side, run));
                }
            }
            let (side, run) = best?;
            let enough = is_promised || evidence >= enough::AT_THE_START;
            enough.then_some((side, Found { protocol, sender: run.sender }))
        })
    }
}

impl Search {
    /// Where a port promises a protocol and the flow had begun, a message may be of any length: the
    /// search goes on as long as the flow.
    fn is_over(self, terms: Terms) -> bool {
        match (terms.joined, terms.promised) {
            (true, Some(_)) => false,
            (false, None) => self.passed >= FROM_THE_START,
            _ => self.passed >= FROM_THE_MIDDLE,
        }
    }

    /// Whether the next place is where a stream begins. One that we joined may begin with one octet
    /// of a TCP keep-alive.
    fn begins(self, terms: Terms) -> bool {
        !self.lost && (self.passed == 0 || terms.joined && self.passed == 1)
    }

    /// How much evidence it takes at the next place, and whether flawed messages are any.
    fn enough(self, protocol: &Protocol, terms: Terms) -> (u32, bool) {
        let promised = terms.promises(protocol);
        match (self.begins(terms), promised && self.passed < FROM_THE_MIDDLE) {
            (true, true) => (enough::AT_THE_START_WITH_PORT, true),
            (true, false) => (enough::AT_THE_START, false),
            (false, true) => (enough::WITH_PORT, false),
            (false, false) => (enough::ANYWHERE, false),
        }
    }

    /// How many octets to pass over to the next place that is worth a look.
    fn next(self, bytes: &[u8]) -> Option<usize> {
        let unseen = self.debt.saturating_sub(work::LENT) as usize;
        let mut rest = bytes.get(unseen..)?;
        loop {
            let (first, behind) = rest.split_first()?;
            let may_begin = |protocol: &&Protocol| (protocol.may_begin)(rest);
            if BEGINS[usize::from(*first)] && REGISTRY.iter().any(may_begin) {
                return Some(bytes.len() - rest.len());
            }
            rest = behind;
        }
    }

    fn pass(&mut self, octets: usize) {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        self.passed = self.passed.saturating_add(octets);
        self.debt = self.debt.saturating_sub(octets);
    }

    fn place(self, bytes: &[u8], terms: Terms) -> Place {
        let bytes = bytes.get(..MAX_KEPT).unwrap_or(bytes);
        let (mut wanted, mut work) = (usize::MAX, 0);
        for protocol in REGISTRY {
            let (enough, lenient) = self.enough(protocol, terms);
            let run = Run::of(protocol, bytes, enough, lenient);
            match run.end {
                None => return Place::Found(Found { protocol, sender: run.sender }),
                Some(End::Open(more)) if more <= MAX_KEPT => wanted = wanted.min(more),
                Some(End::Open(_) | End::Broken) => work += run.work,
            }
        }
        if wanted < usize::MAX { Place::Open(wanted) } else { Place::Nothing(work) }
    }

    /// What there is of `protocol` in the last octets of the direction.
    fn last_run(mut self, kept: &[u8], protocol: &Protocol, terms: Terms) -> Option<Run> {
        let mut at = 0;
        loop {
            let place = self.next(kept.get(at..)?)?;
            self.pass(place);
            at += place;
            let (enough, lenient) = self.enough(protocol, terms);
            let run = Run::of(protocol, kept.get(at..)?, enough, lenient);
            let is_open = self.begins(terms) && !matches!(run.end, Some(End::Broken));
            // The start of what may be a first message does not speak against the port.
            let proves = run.evidence > 0 || !terms.joined && terms.promises(protocol);
            if run.end.is_none() || is_open && proves {
                return Some(run);
            }
            self.pass(1);
            self.debt += run.work;
            at += 1;
        }
    }
}

/// Octets that some message begins with.
static BEGINS: [bool; 256] = {
    let mut begins = [false; 256];
    let mut protocol = 0;
    while protocol < REGISTRY.len() {
        let octets = REGISTRY[protocol].first_octets;
        let mut index = 0;
        while index < octets.len() {
            begins[octets[index] as usize] = true;
            index += 1;
        }
        protocol += 1;
    }
    begins
};

impl Terms {
    fn promises(&self, protocol: &Protocol) -> bool {
        self.promised.is_some_and(|promised| std::ptr::eq(promised, protocol))
    }
}

impl Run {
    /// The run of messages of `protocol` at the start of `bytes`, up to where it is `enough`.
    /// Flawed messages are no evidence unless they are looked at `lenient`, and begin no run.
    fn of(protocol: &Protocol, bytes: &[u8], enough: u32, lenient: bool) -> Self {
        let mut run = Self::default();
        let mut at = 0;
        while run.messages < MAX_RUN {
            let likeness = (protocol.recognise)(bytes.get(at..).unwrap_or_default());
            run.work += work::of(likeness, protocol);
            match likeness {
                Likeness::No | Likeness::Refuted(_) => return run.ends(End::Broken),
                Likeness::More(wanted) => return run.ends(End::Open(at + wanted)),
                Likeness::Flawed { .. } if run.messages == 0 && !lenient => {
                    return run.ends(End::Broken);
                }
                Likeness::Flawed { length, evidence } => {
                    run.evidence += if lenient { evidence } else { 0 };
                    at += length;
                }
                Likeness::Message { length, evidence, sender } => {
                    run.evidence += evidence;
                    run.sender = run.sender.or(sender);
                    at += length;
                }
            }
            run.messages += 1;
            if run.evidence >= enough {
                return run;
            }
        }
        run.ends(End::Broken)
    }

    fn ends(self, end: End) -> Self {
        Self { end: Some(end), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOINED: Terms = Terms { joined: true, promised: None };

    /// Searches octets in segments of this length, and says how much work that took and how many
    /// octets were passed over unseen.
    fn search(octets: &[u8], segment: usize) -> (u64, u64) {
        let (mut search, mut at, mut end) = (Search::default(), 0, 0);
        let (mut work, mut unseen) = (0, 0);
        while end < octets.len() {
            end = octets.len().min(end + segment);
            while let Some(place) = search.next(&octets[at..end]) {
                search.pass(place);
                at += place;
                let Place::Nothing(spent) = search.place(&octets[at..end], JOINED) else { break };
                search.pass(1);
                search.debt += spent;
                work += u64::from(spent);
                unseen += u64::from(search.debt.saturating_sub(work::LENT));
                at += 1;
            }
        }
        (work, unseen)
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(next).collect()
    }

    /// What is made to look like messages that are none.
    fn hostile() -> Vec<Vec<u8>> {
        [
            &b"\x30"[..],
            b"\x68",
            b"\x68\x04",
            b"\x32\x05\0\x01",
            b"\xc0\0\x30",
            b"\x82\xff\x1e\0\x01\0\x04aaaa\x01",
            b"\x30\xff\x1e\0\x01a",
            b"\x31\x7e\0\x11",
            b"GET ",
            b"GET / HTTP/1.1\r\n",
            b"HTTP/1.1 101 \r\n\r\n",
            b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
            b"\x82\x02\xc0",
            b"\x82\xff\0\0\0\0\0\x01\0\0",
        ]
        .map(|pattern| pattern.repeat(60_000 / pattern.len()))
        .into_iter()
        .chain([noise(60_000)])
        .collect()
    }

    /// No place costs more than a run of the longest looks at it, for each protocol.
    #[test]
    fn work_is_bounded_by_the_octets_passed_whatever_they_are() {
        let most = work::LENT + MAX_RUN * REGISTRY.len() as u32 * work::MOST;
        for octets in hostile() {
            let (work, _) = search(&octets, 1400);
            assert!(work <= octets.len() as u64 + u64::from(most), "{:02x?}", &octets[..12]);
        }
    }

    #[test]
    fn work_does_not_depend_on_segments() {
        for octets in hostile() {
            let whole = search(&octets, octets.len());
            for segment in [1, 7, 1400] {
                assert_eq!(search(&octets, segment), whole, "{segment} {:02x?}", &octets[..12]);
            }
        }
    }

    /// Numbers are looked at place by place, prose nearly so, and of random octets a good part.
    #[test]
    fn nothing_of_ordinary_data_is_passed_over_unseen() {
        let noise = noise(20_000);
        let hex = noise.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().concat();
        let json = noise
            .iter()
            .map(|octet| format!("{{\"power\":{octet}.05,\"at\":\"2026-11-23T10:00:{octet}\"}}"));
        let json = json.collect::<Vec<_>>().concat();
        let prose = include_str!("../../README.md");
        for octets in [&hex[..], &json] {
            assert_eq!(search(octets.as_bytes(), octets.len()).1, 0, "{}", &octets[..20]);
        }
        // To look behind every `he` and `ha` costs about as much as prose pays off.
        let unseen = search(prose.as_bytes(), prose.len()).1;
        assert!(unseen < prose.len() as u64 / 10, "{unseen} of {}", prose.len());
        assert!(search(&noise, noise.len()).1 < noise.len() as u64 * 2 / 3);
    }
}
