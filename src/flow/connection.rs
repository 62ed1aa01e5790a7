//! A TCP connection: two streams, and where in its life it is.

use super::reader::{Acknowledged, Incident};
use super::stream::{NEAR, distance};
use super::{Checksums, HostPolicy, Reader, Side, Stream};
use crate::packet::{Checksum, Tcp, TcpFlags};
use crate::time::Timestamp;

/// Where in its life a connection is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// It is being opened: only SYN was seen.
    #[default]
    Opening,
    /// Both may send.
    Established,
    /// Both said that they are done, or one reset it.
    Closed,
}

/// A packet that may pass so many routers more reaches any host: paths are rarely longer, and systems
/// give their packets 64 or more.
const ANYWHERE: u8 = 32;
/// Paths between two hosts change, but not by so many routers.
const DETOUR: u8 = 8;

/// What became of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// It was taken, and the connection is closed with it.
    Closed,
    /// Its receiver drops it, or takes no notice of it.
    Refused,
    /// It belongs to a new connection between the same ports: nothing was taken.
    Reopens,
    /// Its checksum is wrong, and this sender's are right otherwise: its receiver drops it too.
    BadChecksum,
}

/// A TCP connection.
#[derive(Debug, Default)]
pub struct Connection {
    /// By the [`Side`] of the sender.
    streams: [Stream; 2],
    /// Octets that each stream keeps besides itself.
    memory: [usize; 2],
    /// The number that each sender said it expects of the other.
    acknowledged: [Option<u32>; 2],
    phase: Phase,
    /// Whether a stream has a hole or a FIN: only then are both looked at.
    watched: bool,
    /// Whether a right checksum was seen, by sender. One whose checksums are all wrong was captured
    /// before its network card filled them in.
    checksums: [bool; 2],
    /// The most routers that a packet of each sender could still pass.
    ttl: [u8; 2],
    /// SYN of somebody who wants to open the connection anew, and its sequence number. It counts
    /// once the other end agrees: anybody can send a SYN.
    reopening: Option<(Side, u32)>,
    /// How far each stream was when a reset closed the connection.
    reset_at: Option<[u32; 2]>,
}

impl Connection {
    /// How each end reads what it receives: by the [`Side`] of the end.
    pub fn set_policies(&mut self, policies: [HostPolicy; 2]) {
        let [of_lower, of_upper] = policies;
        self.streams[Side::Lower.index()].set_policy(of_upper);
        self.streams[Side::Upper.index()].set_policy(of_lower);
    }

    /// Whether a packet that `from` sent may die before it is there, while its others do not.
    #[inline]
    pub fn may_die(&mut self, from: Side, ttl: u8) -> bool {
        let most = &mut self.ttl[from.index()];
        *most = ttl.max(*most);
        ttl < ANYWHERE && *most - ttl > DETOUR
    }

    /// Where in its life it is.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The stream that `side` sends.
    pub fn stream(&self, side: Side) -> &Stream {
        &self.streams[side.index()]
    }

    /// Whether either stream has a hole.
    #[inline]
    pub const fn has_hole(&self) -> bool {
        self.watched && (self.streams[0].has_hole() || self.streams[1].has_hole())
    }

    /// Octets of memory besides `self`.
    #[inline]
    pub const fn memory(&self) -> usize {
        self.memory[0] + self.memory[1]
    }

    /// Takes a segment if all that follows from it is what the sender expects next, as from a
    /// third of all segments: there is nothing to read then.
    #[inline]
    pub fn acknowledgment(&mut self, from: Side, tcp: &Tcp<'_>) -> bool {
        const OTHERS: u8 = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST | TcpFlags::URG;
        let nothing_else = tcp.payload.is_empty()
            && tcp.flags.any(TcpFlags::ACK)
            && !tcp.flags.any(OTHERS)
            && tcp.checksum == Checksum::Good
            && self.phase == Phase::Established
            && !self.watched
            && self.streams[from.index()].is_started();
        if nothing_else {
            self.checksums[from.index()] = true;
            self.acknowledge(from, tcp.acknowledgment);
            self.streams[from.index()].note_timestamp(tcp);
        }
        nothing_else
    }

    /// Who sent a segment where both ends have one address and one port (behind address translation
    /// on both sides, or a socket that is connected to itself): the numbers tell.
    #[cold]
    pub fn sender(&self, tcp: &Tcp<'_>) -> Side {
        let [lower, upper] = &self.streams;
        if !lower.is_started() {
            return Side::Lower;
        }
        if tcp.flags.any(TcpFlags::SYN) {
            let answers = tcp.flags.any(TcpFlags::ACK);
            let repeats = lower.is_first(tcp.sequence.wrapping_add(1));
            return if answers && !repeats { Side::Upper } else { Side::Lower };
        }
        let off = |stream: &Stream| distance(tcp.sequence, stream.next()).unsigned_abs();
        let is_upper = if upper.is_started() { off(upper) < off(lower) } else { off(lower) > NEAR };
        if is_upper { Side::Upper } else { Side::Lower }
    }

    /// Takes a segment that `from` sent.
    #[inline]
    pub fn segment(
        &mut self,
        now: Timestamp,
        from: Side,
        tcp: &Tcp<'_>,
        reader: &mut impl Reader,
    ) -> Outcome {
        if tcp.checksum == Checksum::Good {
            self.checksums[from.index()] = true;
        } else if self.is_wrong(from, tcp.checksum) {
            return Outcome::BadChecksum;
        }
        if self.has_hole() {
            self.expire(now, reader);
        }
        if tcp.flags.any(TcpFlags::SYN | TcpFlags::RST) {
            return self.control(now, from, tcp, reader);
        }
        if self.streams[from.index()].is_outdated(tcp) && self.refuses(from, tcp, reader) {
            return Outcome::Refused;
        }
        match self.phase {
            Phase::Established => {}
            Phase::Opening => self.establish(from, tcp, reader),
            Phase::Closed => self.look_behind_reset(from, tcp, reader),
        }
        if tcp.flags.any(TcpFlags::ACK) {
            self.acknowledge(from, tcp.acknowledgment);
        } else if self.acknowledged[from.index()].is_some() && tcp.length() > 0 {
            // RFC 9293, 3.10.7.4, fifth: without it, nothing of the segment counts.
            self.turn(from, reader);
            reader.incident(Incident::AckMissing);
            return Outcome::Refused;
        }
        if tcp.flags.any(TcpFlags::URG) {
            self.mark_urgent(from, tcp, reader);
        }
        let latest = self.acknowledged_by(from);
        let by_this = tcp.flags.any(TcpFlags::ACK).then_some(tcp.acknowledgment);
        if !self.streams[from.opposite().index()].is_started() {
            self.expect_of(from.opposite(), tcp);
        }
        let acknowledged = self.taken_by(from, by_this);
        let stream = &mut self.streams[from.index()];
        reader.turn_to(from, acknowledged, latest);
        stream.segment(now, tcp, reader);
        self.memory[from.index()] = stream.memory();
        self.watched |= stream.has_hole();
        if tcp.flags.any(TcpFlags::FIN) {
            let ends = stream.finish(now, tcp.sequence.wrapping_add(tcp.length()));
            if !ends && self.phase != Phase::Closed {
                reader.incident(Incident::FinOutOfWindow);
            }
            self.watched = true;
        }
        if self.watched {
            if stream.goes_on() && self.phase != Phase::Closed {
                reader.incident(Incident::FinOutOfWindow);
            }
            if self.is_finished() {
                return self.close();
            }
        }
        Outcome::Taken
    }

    /// Whether the receiver drops a segment with this checksum.
    #[inline]
    fn is_wrong(&self, from: Side, checksum: Checksum) -> bool {
        let policy = self.streams[from.index()].policy().checksums;
        let wrong = match checksum {
            Checksum::Bad => policy != Checksums::Ignore,
            Checksum::Offloaded => policy == Checksums::Strict,
            Checksum::Good | Checksum::Unknown => false,
        };
        wrong && self.checksums[from.index()]
    }

    /// RFC 6093, 3.1: the octet before the one that the pointer shows is urgent. Linux takes a
    /// pointer that shows the first one as if it showed the next.
    #[cold]
    fn mark_urgent(&mut self, from: Side, tcp: &Tcp<'_>, reader: &mut impl Reader) {
        let behind = tcp.sequence.wrapping_add(u32::from(tcp.urgent.max(1)));
        let mut place = None;
        self.with_stream(from, |stream| place = stream.mark_urgent(behind));
        self.watched |= self.streams[from.index()].has_hole();
        if let Some(offset) = place {
            self.turn(from, reader);
            reader.incident(Incident::UrgentData { offset });
        }
    }

    /// Whether a segment with an old timestamp is left, as its receiver does. Where the receiver is
    /// not heard nobody could tell if what we believe is wrong: it is taken then.
    #[cold]
    fn refuses(&mut self, from: Side, tcp: &Tcp<'_>, reader: &mut impl Reader) -> bool {
        self.turn(from, reader);
        let is_heard = self.acknowledged[from.opposite().index()].is_some();
        if is_heard {
            self.with_stream(from, |stream| stream.refuse(tcp, reader));
            self.watched |= self.streams[from.index()].has_hole();
        } else {
            reader.incident(Incident::OldTimestamp);
        }
        is_heard
    }

    /// Whether everything that both sent up to their FIN was delivered, or given up.
    pub fn is_finished(&self) -> bool {
        self.streams.iter().all(Stream::is_finished)
    }

    /// Nothing was seen of what `side` sends when the other end said this. From here on, what is missed of
    /// it counts: before, nothing was read that it could answer or be answered by.
    #[cold]
    fn expect_of(&mut self, side: Side, tcp: &Tcp<'_>) {
        if tcp.length() > 0 && tcp.flags.any(TcpFlags::ACK) {
            self.streams[side.index()].expect(tcp.acknowledgment);
        }
    }

    #[inline]
    fn acknowledge(&mut self, from: Side, number: u32) {
        let acknowledged = &mut self.acknowledged[from.index()];
        match acknowledged {
            Some(before) if (number.wrapping_sub(*before) as i32) <= 0 => {}
            _ => *acknowledged = Some(number),
        }
    }

    /// How much `side` has acknowledged of what the other sent.
    #[inline]
    pub fn acknowledged_by(&self, side: Side) -> Acknowledged {
        self.taken_by(side, self.acknowledged[side.index()])
    }

    /// The same when `side` has said that it expects this number.
    #[inline]
    fn taken_by(&self, side: Side, expected: Option<u32>) -> Acknowledged {
        let other = &self.streams[side.opposite().index()];
        match expected {
            Some(number) if other.is_started() => match distance(number, other.next()) {
                ..0 => Acknowledged::Part,
                0 => Acknowledged::All,
                1.. => Acknowledged::Beyond,
            },
            _ => Acknowledged::Beyond,
        }
    }

    /// What the reader reads next waited: no packet at hand says what its sender had taken.
    fn turn(&self, side: Side, reader: &mut impl Reader) {
        let latest = self.acknowledged_by(side);
        reader.turn_to(side, latest, latest);
    }

    /// Gives up the holes that are due at `now`.
    pub fn expire(&mut self, now: Timestamp, reader: &mut impl Reader) {
        for side in [Side::Lower, Side::Upper] {
            self.turn(side, reader);
            let acknowledged = self.acknowledged[side.opposite().index()];
            self.with_stream(side, |stream| stream.expire(now, acknowledged, reader));
        }
    }

    /// Gives up every hole: nothing more will come. Behind the last there may be both FIN.
    pub fn flush(&mut self, reader: &mut impl Reader) {
        for side in [Side::Lower, Side::Upper] {
            self.turn(side, reader);
            let acknowledged = self.acknowledged[side.opposite().index()];
            self.with_stream(side, |stream| stream.flush(acknowledged, reader));
        }
        if self.is_finished() {
            self.phase = Phase::Closed;
        }
    }

    /// Gives up all that is held.
    pub fn give_up(&mut self, reader: &mut impl Reader) {
        for side in [Side::Lower, Side::Upper] {
            self.turn(side, reader);
            self.with_stream(side, |stream| stream.give_up(reader));
        }
    }

    /// Shows the reader what is kept of the stream that `side` sends: somebody else reads now.
    pub fn read_kept(&mut self, side: Side, reader: &mut impl Reader) {
        self.turn(side, reader);
        self.with_stream(side, |stream| stream.read_kept(reader));
    }

    fn with_stream(&mut self, side: Side, act: impl FnOnce(&mut Stream)) {
        let stream = &mut self.streams[side.index()];
        act(stream);
        self.memory[side.index()] = stream.memory();
    }

    #[cold]
    fn control(
        &mut self,
        now: Timestamp,
        from: Side,
        tcp: &Tcp<'_>,
        reader: &mut impl Reader,
    ) -> Outcome {
        if tcp.flags.any(TcpFlags::RST) {
            return self.reset(now, from, tcp, reader);
        }
        let answer = tcp.flags.any(TcpFlags::ACK);
        let agreed = (from.opposite(), tcp.acknowledgment.wrapping_sub(1));
        if answer && self.reopening == Some(agreed) {
            return Outcome::Reopens;
        }
        let first = tcp.sequence.wrapping_add(1);
        let stream = &mut self.streams[from.index()];
        if stream.is_started() {
            // Of a stream that was joined it may come late: the capture has another order.
            let repeats = stream.is_first_seen(first);
            if !answer && !repeats {
                if self.phase == Phase::Closed {
                    return Outcome::Reopens;
                }
                self.reopening = Some((from, tcp.sequence));
            }
            if repeats {
                self.hold_early(from, tcp);
            }
            return Outcome::Taken;
        }
        stream.start(first);
        let other = &mut self.streams[from.opposite().index()];
        if answer && !other.is_started() {
            other.start(tcp.acknowledgment);
        }
        if answer {
            self.acknowledge(from, tcp.acknowledgment);
            self.take_early(from.opposite(), tcp.acknowledgment, reader);
        }
        self.hold_early(from, tcp);
        Outcome::Taken
    }

    /// SYN may bring data, and the answer too (RFC 7413, 4.2).
    fn hold_early(&mut self, from: Side, tcp: &Tcp<'_>) {
        if !tcp.payload.is_empty() && self.phase == Phase::Opening {
            self.with_stream(from, |stream| stream.hold_early(tcp));
        }
    }

    /// The first segment behind the handshake: by it both know what was taken with SYN, even if
    /// the answer to SYN was not captured.
    #[cold]
    fn establish(&mut self, from: Side, tcp: &Tcp<'_>, reader: &mut impl Reader) {
        self.phase = Phase::Established;
        self.take_early(from, tcp.sequence, reader);
        // The answer to SYN was not captured: where the other stream begins is told here.
        let opened = self.streams[from.index()].is_first(tcp.sequence);
        let other = &mut self.streams[from.opposite().index()];
        if opened && tcp.flags.any(TcpFlags::ACK) && !other.is_started() {
            other.start(tcp.acknowledgment);
        }
        if tcp.flags.any(TcpFlags::ACK) {
            self.take_early(from.opposite(), tcp.acknowledgment, reader);
        }
    }

    fn take_early(&mut self, of: Side, acknowledged: u32, reader: &mut impl Reader) {
        self.turn(of, reader);
        self.with_stream(of, |stream| stream.take_early(acknowledged, reader));
    }

    /// A reset counts if it has the number that its receiver expects, to the octet; to any other the
    /// receiver does nothing, or asks back (RFC 5961, 3.2).
    fn reset(
        &mut self,
        now: Timestamp,
        from: Side,
        tcp: &Tcp<'_>,
        reader: &mut impl Reader,
    ) -> Outcome {
        let acknowledged = self.acknowledged[from.opposite().index()];
        let stream = &self.streams[from.index()];
        if acknowledged != Some(tcp.sequence) && !stream.is_next(tcp.sequence) {
            let is_far = |number| distance(tcp.sequence, number).unsigned_abs() >= NEAR;
            if is_far(stream.next()) && acknowledged.is_none_or(is_far) {
                self.turn(from, reader);
                reader.incident(Incident::ResetOutOfWindow);
            }
            return Outcome::Refused;
        }
        self.streams[from.index()].finish(now, tcp.sequence);
        let closed = self.close();
        self.flush(reader);
        self.reset_at = Some([0, 1].map(|side: usize| self.streams[side].next()));
        closed
    }

    /// A reset may be forged, and both ends go on: its receiver asked back, or never had it (RFC
    /// 5961, 3.2). What was under way when it came is no sign of that, but that an end acknowledges
    /// what the other sent behind it is.
    #[cold]
    fn look_behind_reset(&mut self, from: Side, tcp: &Tcp<'_>, reader: &mut impl Reader) {
        let (Some(reset_at), true) = (self.reset_at, tcp.flags.any(TcpFlags::ACK)) else { return };
        let other = from.opposite().index();
        let is_behind = distance(tcp.acknowledgment, reset_at[other]) > 0;
        let was_sent = distance(self.streams[other].next(), tcp.acknowledgment) >= 0;
        if !is_behind || !was_sent {
            return;
        }
        self.reset_at = None;
        self.phase = Phase::Established;
        self.streams.iter_mut().for_each(Stream::resume);
        reader.incident(Incident::ResetIgnored);
        for side in [Side::Lower, Side::Upper] {
            self.read_kept(side, reader);
        }
    }

    /// Whether the connection is closed by a reset, which may have been forged.
    pub const fn is_reset(&self) -> bool {
        self.reset_at.is_some()
    }

    /// Notes that both are done. [`Outcome::Closed`] if that is new.
    pub fn close(&mut self) -> Outcome {
        if self.phase == Phase::Closed {
            return Outcome::Taken;
        }
        self.phase = Phase::Closed;
        Outcome::Closed
    }
}
