//! Counts what a thread allocates.

#![allow(unsafe_code, reason = "an allocator is an unsafe trait; this one hands everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};

/// The allocator of the system, with counters by thread: the tests of a binary run side by side.
pub(crate) struct Counting;

thread_local! {
    static MEMORY: Cell<Memory> = const { Cell::new(Memory { live: 0, peak: 0 }) };
    static WATCH: Cell<Watch> = const { Cell::new(Watch::Off) };
    static FIRST: RefCell<Option<Backtrace>> = const { RefCell::new(None) };
}

/// Octets of memory.
#[derive(Clone, Copy)]
struct Memory {
    live: isize,
    peak: isize,
}

#[derive(Clone, Copy)]
enum Watch {
    Off,
    /// So many allocations were seen.
    On(u64),
    /// The first was seen and its backtrace is being taken, which allocates too.
    Busy,
}

/// How often something was allocated.
pub(crate) struct Allocations {
    pub(crate) count: u64,
    /// Where the first of them was made.
    pub(crate) first: Option<Backtrace>,
}

/// Counts the allocations and reallocations of `act`.
pub(crate) fn allocations(act: impl FnOnce()) -> Allocations {
    WATCH.set(Watch::On(0));
    act();
    let Watch::On(count) = WATCH.replace(Watch::Off) else { unreachable!("it was on") };
    Allocations { count, first: FIRST.take() }
}

/// The most octets that `act` held at once, beyond what was there before it.
pub(crate) fn peak(act: impl FnOnce()) -> usize {
    let before = MEMORY.get().live;
    MEMORY.set(Memory { live: before, peak: before });
    act();
    (MEMORY.get().peak - before) as usize
}

fn grow(octets: usize) {
    let Memory { live, peak } = MEMORY.get();
    let live = live + octets as isize;
    MEMORY.set(Memory { live, peak: peak.max(live) });
    match WATCH.get() {
        Watch::Off | Watch::Busy => {}
        Watch::On(0) => {
            WATCH.set(Watch::Busy);
            FIRST.set(Some(Backtrace::force_capture()));
            WATCH.set(Watch::On(1));
        }
        Watch::On(count) => WATCH.set(Watch::On(count + 1)),
    }
}

fn shrink(octets: usize) {
    let Memory { live, peak } = MEMORY.get();
    MEMORY.set(Memory { live: live - octets as isize, peak });
}

// SAFETY: every call goes to the system's allocator with the arguments as they came; the counters
// are cells without a destructor, so that they are there as long as the thread is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller keeps the contract of this same method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        shrink(layout.size());
        grow(size);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}
