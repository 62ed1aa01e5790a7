//! The rings of one thread, read as one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::error::Error;
use super::ring::{LinkState, Rest, Ring};
use super::statistics::Statistics;
use super::sys::{Readiness, poll, readiness};
use crate::packet::Frame;
use crate::time::Timestamp;

/// How long a frame may be on its way between the moment that the kernel gave it its time and the
/// ring: interrupts of another processor stand in between, no more. With several rings, younger
/// frames wait for it.
const SETTLING: Duration = Duration::from_millis(1);

/// How often an interface that is down is asked how it is.
const DOWN_CHECK: Duration = Duration::from_millis(100);

/// How long an interface may be without a carrier before that is believed: the kernel works it out up
/// to a second after an interface was switched on.
const NO_CARRIER: Duration = Duration::from_secs(2);

/// The rings of one thread, their frames in the order of the kernel's time.
///
/// A frame is handed on when no ring can have an older one: each of the others shows an older frame
/// itself, or was seen empty after this frame came. No clock and no timeout is trusted for it, but
/// for the millisecond that a frame may take into its ring. Within a ring the order is
/// never changed. With a single ring nothing is held back.
///
/// ```no_run
/// use std::time::Duration;
/// use gridtap::capture::live::{Live, LinkState, Ring, RingOptions};
///
/// let options = RingOptions::default();
/// let mut live = Live::new(vec![Ring::open("eth2", &options)?, Ring::open("eth3", &options)?]);
/// loop {
///     let turn = live.turn(Duration::from_millis(10), |place, frame| {
///         println!("{place} {:?} {}", frame.interface, frame.data.len());
///     })?;
///     if let Some((place, LinkState::Gone)) = turn.change {
///         println!("{} is gone", live.interface(place).unwrap_or_default());
///     }
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), gridtap::capture::live::Error>(())
/// ```
#[derive(Debug)]
pub struct Live {
    places: Vec<Place>,
    /// No frame older than this will follow.
    watermark: Timestamp,
    /// When an interface that is down was last asked.
    asked: Instant,
    // Reused by every turn.
    polled: Vec<libc::pollfd>,
}

#[derive(Debug)]
struct Place {
    ring: Ring,
    /// [`LinkState::NoCarrier`] is not among its states: nobody is woken by it, so it is asked for.
    state: LinkState,
    /// Since when it was found without a carrier.
    dead: Option<Instant>,
    /// The state was told, but for a change since.
    told: LinkState,
    /// When its next frame came, as the turn looked.
    head: Option<Timestamp>,
    /// Counts of rings that had this place before, and how many those were.
    former: Statistics,
    reopened: u64,
}

impl Place {
    fn new(ring: Ring) -> Self {
        let state = LinkState::Up;
        Self {
            ring,
            state,
            dead: None,
            told: state,
            head: None,
            former: Statistics::default(),
            reopened: 0,
        }
    }
}

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// How many frames were handed on.
    pub frames: u64,
    /// No frame older than this will follow: the engine's clock while nothing comes. It follows the
    /// kernel's clock, also when that is set back.
    pub watermark: Timestamp,
    /// A place whose interface changed its state. More changes come with the next turns. Whether
    /// there is a carrier is told by [`Live::state`] alone.
    pub change: Option<(usize, LinkState)>,
}

/// What the rings have.
enum Look {
    /// Frames that no ring has an older one to.
    Ready,
    /// Nothing, and there was nothing at this time.
    Nothing(Timestamp),
    /// Frames that are held back.
    Held,
}

impl Live {
    /// Reads these rings. A place is a ring's index here.
    pub fn new(rings: Vec<Ring>) -> Self {
        Self {
            places: rings.into_iter().map(Place::new).collect(),
            watermark: Timestamp::ZERO,
            asked: Instant::now(),
            polled: Vec::new(),
        }
    }

    /// Hands on what there is, about a block of it; waits for it at most for `timeout`.
    ///
    /// `visit` gets each frame with the place of its ring, in the order of time. An error means that
    /// the system does not let us wait: nothing that goes away.
    pub fn turn(
        &mut self,
        timeout: Duration,
        mut visit: impl FnMut(usize, Frame<'_>),
    ) -> Result<Turn, Error> {
        let deadline = Instant::now() + timeout;
        loop {
            let wait = match self.look() {
                Look::Ready => {
                    if self.places.iter().any(|place| place.head.is_none()) {
                        // A busy ring must not hide that another has died.
                        self.wait(Duration::ZERO)?;
                    }
                    let frames = self.hand_on(&mut visit);
                    if frames > 0 {
                        return Ok(self.conclude(frames));
                    }
                    SETTLING
                }
                Look::Held => timeout,
                Look::Nothing(at) => {
                    advance(&mut self.watermark, at);
                    timeout
                }
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.places.iter().any(Place::has_changed) {
                return Ok(self.conclude(0));
            }
            self.wait(left.min(wait))?;
        }
    }

    /// Puts a ring into the place of a dead one of the same interface, or into a new place if there
    /// is none of that interface. The ring comes back where the other is not known to be dead.
    pub fn put(&mut self, ring: Ring) -> Result<(), Box<Ring>> {
        let mut places = self.places.iter_mut();
        let Some(place) = places.find(|place| place.ring.interface() == ring.interface()) else {
            self.places.push(Place::new(ring));
            return Ok(());
        };
        // Not before it was told: until then there are frames in it.
        if place.told != LinkState::Gone {
            return Err(Box::new(ring));
        }
        place.former += std::mem::replace(&mut place.ring, ring).close();
        place.reopened += 1;
        (place.state, place.told) = (LinkState::Up, LinkState::Up);
        Ok(())
    }

    /// How many rings there are.
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// The interface of a place.
    pub fn interface(&self, place: usize) -> Option<&str> {
        self.places.get(place).map(|place| place.ring.interface())
    }

    /// The state of a place's interface. Asks the kernel whether it has a carrier.
    pub fn state(&mut self, place: usize) -> Option<LinkState> {
        self.places.get_mut(place).map(Place::state_now)
    }

    /// How often a dead ring of a place was replaced.
    pub fn reopened(&self, place: usize) -> Option<u64> {
        self.places.get(place).map(|place| place.reopened)
    }

    /// The counts of a place, those of the rings that were there before included.
    pub fn statistics(&mut self, place: usize) -> Option<Statistics> {
        let place = self.places.get_mut(place)?;
        let mut sum = place.former;
        sum += place.ring.statistics();
        Some(sum)
    }

    /// Closes all rings; their last counts, by place.
    pub fn close(self) -> Vec<Statistics> {
        let closed = self.places.into_iter().map(|place| {
            let mut sum = place.former;
            sum += place.ring.close();
            sum
        });
        closed.collect()
    }

    /// Looks at every ring: first for frames, then whether the others are empty. Whatever has a
    /// frame by then is older than what an empty one gets.
    fn look(&mut self) -> Look {
        let before = now();
        let mut any = false;
        for place in &mut self.places {
            place.head = place.ring.head();
            any |= place.head.is_some();
        }
        if any && self.places.len() == 1 {
            return Look::Ready;
        }
        let mut rest = self.places.iter().filter(|place| place.head.is_none());
        if rest.any(|place| place.ring.rest() == Rest::Filling) {
            return Look::Held;
        }
        if any { Look::Ready } else { Look::Nothing(before - SETTLING) }
    }

    /// Hands frames on, the oldest first, until a block is used up or what is left is too young.
    fn hand_on(&mut self, visit: &mut impl FnMut(usize, Frame<'_>)) -> u64 {
        if let [only] = self.places.as_mut_slice() {
            return only.hand_on_block(&mut self.watermark, visit);
        }
        // All of these frames are there by now: one with a later time has it from before the clock
        // was set back.
        let now = now();
        let young = now - SETTLING..=now;
        let mut frames = 0;
        while let Some((index, place, head)) = oldest(&mut self.places) {
            if young.contains(&head) {
                break;
            }
            if let Some(frame) = place.ring.next() {
                visit(index, frame);
                frames += 1;
            }
            advance(&mut self.watermark, head);
            if place.ring.give_back() {
                break;
            }
            place.head = place.ring.head();
        }
        frames
    }

    /// Waits until a ring that had nothing has something, or is in trouble.
    fn wait(&mut self, timeout: Duration) -> Result<(), Error> {
        let down = self.places.iter().any(|place| place.state == LinkState::Down);
        let timeout = if down { timeout.min(DOWN_CHECK) } else { timeout };
        let waiting = self.places.iter().filter(|place| place.head.is_none());
        let sockets = waiting.map(|place| place.ring.socket());
        poll(sockets, timeout, &mut self.polled).map_err(|error| {
            let names = self.places.iter().map(|place| place.ring.interface());
            Error::system(&names.collect::<Vec<_>>().join(", "), "wait for frames", error)
        })?;
        let check_down = down && self.asked.elapsed() >= DOWN_CHECK;
        let waiting = self.places.iter_mut().filter(|place| place.head.is_none());
        for (place, polled) in waiting.zip(&self.polled) {
            let trouble = readiness(*polled) == Readiness::Trouble;
            if trouble {
                // Taken, so that it is told once. What it says shows in the state.
                let _ = place.ring.socket().take_error();
            }
            if trouble || (check_down && place.state == LinkState::Down) {
                place.state = match place.ring.state() {
                    LinkState::NoCarrier => LinkState::Up,
                    state => state,
                };
            }
        }
        if check_down {
            self.asked = Instant::now();
        }
        Ok(())
    }

    fn conclude(&mut self, frames: u64) -> Turn {
        let mut places = self.places.iter_mut().enumerate();
        let change = places.find(|(_, place)| place.has_changed()).map(|(index, place)| {
            place.told = place.state;
            (index, place.state)
        });
        Turn { frames, watermark: self.watermark, change }
    }
}

impl Place {
    /// The state with whether there is a carrier.
    fn state_now(&mut self) -> LinkState {
        if self.state != LinkState::Up || self.ring.state() != LinkState::NoCarrier {
            self.dead = None;
            return self.state;
        }
        let since = *self.dead.get_or_insert_with(Instant::now);
        if since.elapsed() < NO_CARRIER { LinkState::Up } else { LinkState::NoCarrier }
    }

    /// Whether there is something to tell. That an interface is gone can wait until all of its
    /// frames were handed on.
    fn has_changed(&self) -> bool {
        let drained = self.head.is_none() && self.ring.rest() == Rest::Empty;
        self.state != self.told && (self.state != LinkState::Gone || drained)
    }

    /// Hands on all frames of a block.
    fn hand_on_block(
        &mut self,
        watermark: &mut Timestamp,
        visit: &mut impl FnMut(usize, Frame<'_>),
    ) -> u64 {
        let mut frames = 0;
        while let Some(frame) = self.ring.next() {
            advance(watermark, frame.timestamp);
            visit(0, frame);
            frames += 1;
            if self.ring.give_back() {
                break;
            }
        }
        self.head = None;
        frames
    }
}

/// The place that has the oldest frame, the first of those with the same time.
fn oldest(places: &mut [Place]) -> Option<(usize, &mut Place, Timestamp)> {
    let places = places.iter_mut().enumerate();
    places
        .filter_map(|(index, place)| place.head.map(|head| (index, place, head)))
        .min_by_key(|(_, _, head)| *head)
}

/// Moves the watermark on; back only where the kernel's clock was set back, for processors that
/// write into one ring may be some microseconds apart.
fn advance(watermark: &mut Timestamp, to: Timestamp) {
    if to > *watermark || watermark.since(to) > 2 * SETTLING {
        *watermark = to;
    }
}

/// The kernel's clock: what it gives frames their time from.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(since.as_nanos() as u64)
}
